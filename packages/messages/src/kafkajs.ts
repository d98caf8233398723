import { type Context } from "@throughline/context";

import {
  createProcessor,
  isWrapped,
  namedError,
  type ProcessOptions,
  type PublishOptions,
  send,
  type StopConsuming,
  stopOnDrain,
} from "./broker.ts";
import type { MessageHeaders } from "./consume.ts";

export { type ProcessOptions, type PublishOptions, type StopConsuming } from "./broker.ts";

/** A message to publish, as `kafkajs` takes it. */
export interface KafkaRecord {
  key?: Buffer | string | null;
  value: Buffer | string | null;
  headers?: Record<string, Buffer | string>;
}

/** A producer of `kafkajs`, as far as it is used here. */
export interface KafkaProducer<A> {
  send(record: { topic: string; messages: KafkaRecord[] }): Promise<A>;
}

/** What `kafkajs` gives to `eachMessage`, as far as it is used here. */
export interface KafkaPayload {
  readonly topic: string;
  readonly message: { readonly headers?: MessageHeaders | undefined };
  heartbeat(): Promise<void>;
}

/** A consumer of `kafkajs`, as far as it is used here. */
export interface KafkaConsumer<P extends KafkaPayload> {
  run(config: { eachMessage: (payload: P) => Promise<void> }): Promise<void>;
  stop(): Promise<void>;
}

export interface KafkaConsumeOptions<P> extends ProcessOptions<P> {
  /** Options of `consumer.run`. @default none */
  clientOptions?: object;
}

const SYSTEM = "kafka";
/** The consumer group removes a member without a heartbeat for 30 s, by default. */
const HEARTBEAT_MS = 3000;

/**
 * Publishes a message with what it carries of the context. Kafka does not drop it at its deadline: its consumer refuses
 * it then. Tested against the documented contract of the client, not against a broker.
 *
 * @throws ContextError `ctx.err()` if the context has ended, or ends first; the message may have been sent then
 * @throws TypeError, RangeError if an option is wrong
 */
export function publish<A, O extends object = object>(
  ctx: Context,
  producer: KafkaProducer<A>,
  topic: string,
  message: KafkaRecord,
  options: PublishOptions<O> = {},
): Promise<A> {
  const target = { system: SYSTEM, destination: topic, isTracedElsewhere: isWrapped(producer, "send") };
  return send(ctx, target, options, ({ headers }) =>
    producer.send({
      ...options.clientOptions,
      topic,
      messages: [{ ...message, headers: { ...message.headers, ...headers } }],
    }),
  );
}

/**
 * Runs a consumer that has subscribed to its topics. `ack` and `dead` move on to the next offset: Kafka has no dead
 * letters, so publish a dead message to a topic of your own in `onConsumed` if it must be kept. `retry` and `requeue`
 * reject, so that the offset is not committed: kafkajs delivers the message again, and nothing behind it in its
 * partition before that. Heartbeats are sent while the work runs. Tested against the documented contract of the client,
 * not against a broker.
 *
 * @returns a function that stops the consumer, as a drain of `consumers` does
 * @throws TypeError, RangeError if an option is wrong
 */
export async function consume<P extends KafkaPayload>(
  consumer: KafkaConsumer<P>,
  work: (ctx: Context, payload: P) => unknown,
  options: KafkaConsumeOptions<P> = {},
): Promise<StopConsuming> {
  const { clientOptions, ...others } = options;
  const processor = createProcessor(SYSTEM, work, others);
  const eachMessage = async (payload: P): Promise<void> => {
    const beating = setInterval(() => void payload.heartbeat().catch(processor.reportError), HEARTBEAT_MS);
    const received = { headers: payload.message.headers, destination: payload.topic };
    try {
      await processor.process(payload, received, (consumed) => {
        if (consumed.disposition === "retry" || consumed.disposition === "requeue") throw namedError(consumed);
      });
    } finally {
      clearInterval(beating);
    }
  };
  await consumer.run({ ...clientOptions, eachMessage });
  return stopOnDrain(processor.consumers, () => consumer.stop());
}
