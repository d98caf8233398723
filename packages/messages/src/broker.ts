import { SpanKind, trace } from "@opentelemetry/api";
import { type Context, run } from "@throughline/context";
import { callable, parentOf } from "@throughline/context/internal";
import { untilEnd } from "@throughline/resilience/internal";

import { consume, type Consumed, consumeSettings, type ConsumeOptions, type MessageHeaders } from "./consume.ts";
import type { Consumers } from "./consumers.ts";
import { type Envelope, envelope, type EnvelopeOptions } from "./envelope.ts";
import { setFailed, startMessageSpan } from "./spans.ts";

/** @typeParam C the options of the client itself */
export interface PublishOptions<C = object> extends EnvelopeOptions {
  /** Options of the client, passed on as they are. @default none */
  clientOptions?: C;
  /** The destination in spans, for one whose name contains an id. @default its name */
  destination?: string;
}

/** @typeParam M a message of the client */
export interface ProcessOptions<M> extends Omit<ConsumeOptions, "signals" | "system"> {
  /** Called when a message was processed, before the broker is notified: for logs and metrics. @default none */
  onConsumed?: (consumed: Consumed<unknown>, message: M) => void;
  /**
   * Called with an error of the client: a message that cannot be settled, for example.
   *
   * @default a warning of the process
   */
  onError?: (error: unknown) => void;
}

/** Stops the delivery; messages that are being processed go on. A second call does nothing. */
export type StopConsuming = () => Promise<void>;

export interface Target {
  readonly system: string;
  readonly destination: string;
  /** Whether an instrumentation makes the span. */
  readonly isTracedElsewhere: boolean;
}

/** Whether an instrumentation has replaced a method: shimmer, which all of OpenTelemetry's use, marks it. */
export function isWrapped(client: object, method: string): boolean {
  return (client as Record<string, { __wrapped?: boolean } | undefined>)[method]?.__wrapped === true;
}

/**
 * Sends a message in a PRODUCER span, with the headers for it. If the context ends while the client waits for the
 * broker, it rejects with the context's error; the message may have been sent.
 */
export async function send<T>(
  ctx: Context,
  { system, destination: name, isTracedElsewhere }: Target,
  options: PublishOptions,
  transmit: (sent: Envelope) => PromiseLike<T> | T,
): Promise<T> {
  const { clientOptions: _clientOptions, destination = name, ...envelopeOptions } = options;
  const parent = parentOf(ctx, "publish a message");
  parent.throwIfAborted();
  const span = isTracedElsewhere
    ? undefined
    : startMessageSpan(parent, { kind: SpanKind.PRODUCER, operation: "send", system, destination });
  const within = span === undefined ? parent : (trace.setSpan(parent, span) as Context);
  try {
    const sent = envelope(within, envelopeOptions);
    return await untilEnd(
      parent,
      run(within, async () => transmit(sent)),
    );
  } catch (error) {
    setFailed(span, error);
    throw error;
  } finally {
    span?.end();
  }
}

export interface Received {
  readonly headers: MessageHeaders | null | undefined;
  readonly destination: string;
  /** The broker's own signal: it has taken the message away. */
  readonly signal?: AbortSignal | undefined;
}

/** Processes the messages of one client, and notifies its broker. */
export interface Processor<M> {
  readonly consumers: Consumers | undefined;
  readonly reportError: (error: unknown) => void;
  /** Processes a message, then settles it; a drain waits for both. It rejects only with an error of `settle`. */
  process<T>(message: M, received: Received, settle: (consumed: Consumed<unknown>) => PromiseLike<T> | T): Promise<T>;
}

/** @throws TypeError, RangeError if an option is wrong */
export function createProcessor<M>(
  system: string,
  work: (ctx: Context, message: M) => unknown,
  options: ProcessOptions<M>,
): Processor<M> {
  const { onConsumed, onError = warn, ...consumeOptions } = options;
  callable("work", work, "consume messages");
  if (onConsumed !== undefined) callable("onConsumed", onConsumed, "consume messages");
  callable("onError", onError, "consume messages");
  consumeSettings(consumeOptions);
  const { consumers } = consumeOptions;
  return {
    consumers,
    reportError: onError,
    async process(message, { headers, destination, signal }, settle) {
      const settled = consumers?.beginSettling();
      try {
        const consumed = await consume(headers, (ctx) => work(ctx, message), {
          destination,
          ...consumeOptions,
          system,
          signals: [signal],
        });
        try {
          onConsumed?.(consumed, message);
        } catch (error) {
          onError(error);
        }
        return await settle(consumed);
      } finally {
        settled?.();
      }
    },
  };
}

/** Returns a function that stops a delivery once, and lets a drain call it. */
export function stopOnDrain(consumers: Consumers | undefined, stop: () => Promise<unknown>): StopConsuming {
  let stopped: Promise<void> | undefined;
  let remove: (() => void) | undefined;
  const stopOnce = (): Promise<void> => {
    remove?.();
    return (stopped ??= (async () => void (await stop()))());
  };
  remove = consumers?.onDrain(stopOnce);
  return stopOnce;
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: "THROUGHLINE_MESSAGES" });
}

/** The field of a job's data that carries what other brokers carry in headers. */
const FIELD = "throughline";

export function withHeaders<D extends object>(data: D, { headers }: Envelope): D {
  return { ...data, [FIELD]: headers };
}

export function headersIn(data: unknown): MessageHeaders | undefined {
  const headers = (data as Record<string, unknown> | null | undefined)?.[FIELD];
  return typeof headers === "object" && headers !== null ? (headers as MessageHeaders) : undefined;
}

/** The error that a client must see for a message that was not processed, as an Error with this name. */
export function namedError({ error, disposition }: Consumed<unknown>, name?: string): Error {
  if (name === undefined && error instanceof Error) return error;
  const named = new Error(error instanceof Error ? error.message : `The message was not processed: ${disposition}`, {
    cause: error,
  });
  if (name !== undefined) named.name = name;
  return named;
}
