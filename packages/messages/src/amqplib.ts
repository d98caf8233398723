import { type Context } from "@throughline/context";
import { wholeNumber } from "@throughline/context/internal";

import {
  createProcessor,
  isWrapped,
  type ProcessOptions,
  type PublishOptions,
  send,
  type StopConsuming,
  stopOnDrain,
} from "./broker.ts";

export { type ProcessOptions, type PublishOptions, type StopConsuming } from "./broker.ts";

/** A message of `amqplib`, as far as it is used here. */
export interface AmqpMessage {
  readonly fields: { readonly redelivered: boolean };
  readonly properties: { readonly headers?: Readonly<Record<string, unknown>> | undefined };
}

/** The part of an `amqplib` channel that publishes. A `ConfirmChannel` waits for the broker's confirmation. */
export interface AmqpPublisher {
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    options?: object,
    callback?: (error: unknown) => void,
  ): boolean;
  waitForConfirms?(): Promise<unknown>;
  once(event: "drain" | "close", listener: () => void): unknown;
  removeListener(event: "drain" | "close", listener: () => void): unknown;
}

/** The part of an `amqplib` channel that consumes. */
export interface AmqpConsumer<M extends AmqpMessage> {
  consume(queue: string, onMessage: (message: M | null) => void, options?: object): Promise<{ consumerTag: string }>;
  cancel(consumerTag: string): Promise<unknown>;
  ack(message: M): void;
  nack(message: M, allUpTo?: boolean, requeue?: boolean): void;
  once(event: "close", listener: () => void): unknown;
}

/** A queue, or an exchange with a routing key. */
export type AmqpDestination = string | { readonly exchange: string; readonly routingKey: string };

export interface AmqpConsumeOptions<M> extends ProcessOptions<M> {
  /**
   * How many times a message is delivered before it is dead. Only quorum queues count deliveries. Any other queue
   * reports only that a message was delivered before: its second failure is the last. @default 3
   */
  maxAttempts?: number;
  /** Options of `channel.consume`. @default none */
  clientOptions?: object;
}

const SYSTEM = "rabbitmq";

/**
 * Publishes a message with what it carries of the context. Its time to live becomes its `expiration`: RabbitMQ drops
 * the message then, or moves it to the dead-letter exchange of its queue, once it is at the head of the queue.
 *
 * @returns a promise that resolves when the message is written, on a `ConfirmChannel` when the broker has confirmed it
 * @throws ContextError `ctx.err()` if the context has ended, or ends first; the message may have been sent then
 * @throws TypeError, RangeError if an option is wrong
 */
export function publish<O extends object = object>(
  ctx: Context,
  channel: AmqpPublisher,
  destination: AmqpDestination,
  content: Buffer,
  options: PublishOptions<O> = {},
): Promise<void> {
  const { exchange, routingKey } =
    typeof destination === "string" ? { exchange: "", routingKey: destination } : destination;
  const target = {
    system: SYSTEM,
    destination: exchange === "" ? routingKey : exchange,
    isTracedElsewhere: isWrapped(channel, "publish"),
  };
  return send(ctx, target, options, async ({ headers, ttl }) => {
    const clientOptions: { headers?: Record<string, unknown> } | undefined = options.clientOptions;
    const sent = {
      ...clientOptions,
      headers: { ...clientOptions?.headers, ...headers },
      // RabbitMQ closes the channel for an expiration that is not a whole number.
      ...(ttl === undefined ? undefined : { expiration: String(ttl) }),
    };
    if (channel.waitForConfirms !== undefined) {
      await new Promise<void>((resolve, reject) => {
        channel.publish(exchange, routingKey, content, sent, (error) => (error ? reject(error) : resolve()));
      });
    } else if (!channel.publish(exchange, routingKey, content, sent)) await drained(channel);
  });
}

/** Waits until the buffer of the channel has been written, or the channel has closed. */
function drained(channel: AmqpPublisher): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      channel.removeListener("drain", done);
      channel.removeListener("close", done);
      resolve();
    };
    channel.once("drain", done);
    channel.once("close", done);
  });
}

/**
 * Consumes a queue. Set `channel.prefetch(n)` first: it limits how many messages are processed at once. `ack`
 * acknowledges; `dead` rejects, so that the message goes to the dead-letter exchange of the queue, or is dropped if
 * there is none; `retry` gives it back until `maxAttempts`, and is `dead` then; `requeue` gives it back. If the channel
 * closes, the broker delivers the messages again: their contexts end.
 *
 * @returns a function that stops the delivery, as a drain of `consumers` does
 * @throws TypeError, RangeError if an option is wrong
 */
export async function consume<M extends AmqpMessage>(
  channel: AmqpConsumer<M>,
  queue: string,
  work: (ctx: Context, message: M) => unknown,
  options: AmqpConsumeOptions<M> = {},
): Promise<StopConsuming> {
  const { maxAttempts = 3, clientOptions, ...others } = options;
  wholeNumber("maxAttempts", maxAttempts, 1, "consume messages");
  const processor = createProcessor(SYSTEM, work, others);
  const closed = new AbortController();
  channel.once("close", () => closed.abort(new Error("The channel is closed")));

  const isLast = ({ fields, properties }: M): boolean => {
    const deliveries = properties.headers?.["x-delivery-count"];
    if (typeof deliveries === "number") return deliveries + 1 >= maxAttempts;
    return fields.redelivered || maxAttempts === 1;
  };

  const { consumerTag } = await channel.consume(
    queue,
    (message) => {
      if (message === null) return processor.reportError(new Error(`RabbitMQ has ended the consumer of '${queue}'`));
      const { headers } = message.properties;
      const received = { headers, destination: queue, signal: closed.signal };
      processor
        .process(message, received, ({ disposition }) => {
          // The broker delivers it again.
          if (closed.signal.aborted) return;
          if (disposition === "ack") channel.ack(message);
          else channel.nack(message, false, disposition === "requeue" || (disposition === "retry" && !isLast(message)));
        })
        .catch(processor.reportError);
    },
    clientOptions,
  );
  return stopOnDrain(processor.consumers, async () => {
    if (!closed.signal.aborted) await channel.cancel(consumerTag);
  });
}
