import { setTimeout as delay } from "node:timers/promises";

import { type Context, type Duration } from "@throughline/context";
import { milliseconds, wholeNumber } from "@throughline/context/internal";

import {
  createProcessor,
  isWrapped,
  type Processor,
  type ProcessOptions,
  type PublishOptions,
  send,
  type StopConsuming,
  stopOnDrain,
} from "./broker.ts";
import type { MessageHeaders } from "./consume.ts";

export { type ProcessOptions, type PublishOptions, type StopConsuming } from "./broker.ts";

/** Headers of the client, as its `headers()` makes them. */
export interface NatsHeaders extends Iterable<readonly [string, readonly string[]]> {
  set(name: string, value: string): void;
}

/** A client of JetStream, as far as it is used here: `jetstream(connection)`. */
export interface JetStreamPublisher<H, A> {
  publish(subject: string, payload?: Uint8Array | string, options?: { headers?: H }): Promise<A>;
}

/** A message of JetStream, as far as it is used here. */
export interface JetStreamMessage {
  readonly headers?: Iterable<readonly [string, readonly string[]]> | undefined;
  ack(): void;
  nak(millis?: number): void;
  working(): void;
  term(): void;
}

/** A pull consumer of JetStream, as far as it is used here: `await js.consumers.get(stream, name)`. */
export interface JetStreamConsumer<M extends JetStreamMessage> {
  info(cached?: boolean): Promise<{
    readonly stream_name: string;
    readonly config: { readonly ack_wait?: number | undefined };
  }>;
  fetch(options: { max_messages: number; expires: number }): Promise<AsyncIterable<M> & { stop(): void }>;
}

export interface NatsConsumeOptions<M> extends ProcessOptions<M> {
  /** How many messages are processed at once. @default 10 */
  concurrency?: number;
  /** How long the server waits before it delivers a message again that has failed. @default "1s" */
  retryDelay?: Duration;
}

const SYSTEM = "nats";
/** How long a request for a message waits at the server. */
const EXPIRES_MS = 30_000;

/**
 * Publishes a message with what it carries of the context, and waits for the acknowledgement of the stream. The server
 * does not drop it at its deadline (a TTL of messages needs NATS 2.11 and a stream that allows it): its consumer
 * refuses it then.
 *
 * @param headers `headers()` of the client, with the caller's own headers if there are any
 * @throws ContextError `ctx.err()` if the context has ended, or ends first; the message may have been sent then
 * @throws TypeError, RangeError if an option is wrong
 */
export function publish<H extends NatsHeaders, A, O extends object = object>(
  ctx: Context,
  jetstream: JetStreamPublisher<H, A>,
  subject: string,
  payload: Uint8Array | string,
  headers: H,
  options: PublishOptions<O> = {},
): Promise<A> {
  const target = { system: SYSTEM, destination: subject, isTracedElsewhere: isWrapped(jetstream, "publish") };
  return send(ctx, target, options, (sent) => {
    for (const [name, value] of Object.entries(sent.headers)) headers.set(name, value);
    return jetstream.publish(subject, payload, { ...options.clientOptions, headers });
  });
}

/**
 * Consumes messages of a pull consumer, each of which is requested only when it can be processed. While it is, the
 * server is notified that work is in progress, so that it is not delivered again after `ack_wait`. `ack` acknowledges;
 * `dead` terminates the message, which the server reports as an advisory; `retry` gives it back after `retryDelay`, as
 * often as `max_deliver` of the consumer permits; `requeue` gives it back at once, and counts for `max_deliver` too.
 *
 * @returns a function that stops the delivery, as a drain of `consumers` does; it resolves when all messages are
 * settled
 * @throws TypeError, RangeError if an option is wrong
 */
export async function consume<M extends JetStreamMessage>(
  consumer: JetStreamConsumer<M>,
  work: (ctx: Context, message: M) => unknown,
  options: NatsConsumeOptions<M> = {},
): Promise<StopConsuming> {
  const { concurrency = 10, retryDelay = "1s", ...others } = options;
  const settings = { retryMs: milliseconds(retryDelay, "consume messages", "retryDelay") };
  wholeNumber("concurrency", concurrency, 1, "consume messages");
  const processor = createProcessor(SYSTEM, work, others);
  const { stream_name: stream, config } = await consumer.info(true);
  const lanes = Array.from(
    { length: concurrency },
    () => new Lane(consumer, processor, { ...settings, stream, workingMs: (config.ack_wait ?? 30e9) / 1e6 / 2 }),
  );
  const ended = Promise.all(lanes.map((lane) => lane.run()));
  return stopOnDrain(processor.consumers, () => {
    for (const lane of lanes) lane.stop();
    return ended;
  });
}

interface LaneSettings {
  readonly retryMs: number;
  readonly stream: string;
  /** How often the server is notified that a message is being processed. */
  readonly workingMs: number;
}

/**
 * Requests one message after the other. `consumer.consume` would fetch messages ahead: under slow work they would be
 * delivered again before they were processed at all, until `max_deliver` is reached.
 */
class Lane<M extends JetStreamMessage> {
  readonly #consumer: JetStreamConsumer<M>;
  readonly #processor: Processor<M>;
  readonly #settings: LaneSettings;
  readonly #stopped = new AbortController();
  #request: { stop(): void } | undefined;

  constructor(consumer: JetStreamConsumer<M>, processor: Processor<M>, settings: LaneSettings) {
    this.#consumer = consumer;
    this.#processor = processor;
    this.#settings = settings;
  }

  async run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const from = performance.now();
      const found = await this.#next().catch(this.#processor.reportError);
      // A closed connection and a deleted consumer answer at once.
      const isTooEarly = found !== true && performance.now() - from < EXPIRES_MS / 2;
      if (isTooEarly) await delay(1000, undefined, { signal }).catch(() => {});
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#request?.stop();
  }

  /** Processes the next message; `false` if there was none. */
  async #next(): Promise<boolean> {
    const request = await this.#consumer.fetch({ max_messages: 1, expires: EXPIRES_MS });
    this.#request = request;
    if (this.#stopped.signal.aborted) request.stop();
    let hasFound = false;
    for await (const message of request) {
      hasFound = true;
      await this.#process(message);
    }
    return hasFound;
  }

  async #process(message: M): Promise<void> {
    const { retryMs, stream, workingMs } = this.#settings;
    const working = setInterval(() => message.working(), workingMs);
    const received = { headers: headersOf(message), destination: stream };
    try {
      await this.#processor.process(message, received, ({ disposition }) => {
        if (disposition === "ack") message.ack();
        // Without a reason: NATS before 2.10 ignores a termination that has one.
        else if (disposition === "dead") message.term();
        else message.nak(disposition === "requeue" ? undefined : retryMs);
      });
    } finally {
      clearInterval(working);
    }
  }
}

function headersOf({ headers }: JetStreamMessage): MessageHeaders {
  return Object.fromEntries([...(headers ?? [])].map(([name, [value]]) => [name, value]));
}
