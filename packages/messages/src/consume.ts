import { context as otel, ROOT_CONTEXT, type Span, type SpanContext, SpanKind, trace } from "@opentelemetry/api";
import {
  background,
  type CancelFunc,
  type Context,
  DeadlineExceeded,
  type Duration,
  run,
  withCancel,
  withDeadline,
  withSignal,
  withTimeout,
} from "@throughline/context";
import {
  callable,
  describeValue,
  milliseconds,
  oneOf,
  readTrace,
  refuseUnknown,
  withTrace,
} from "@throughline/context/internal";
import { MESSAGE_DEADLINE_HEADER, parseMessageDeadline, receiveMessageValues } from "@throughline/http/adapter";

import type { Consumers } from "./consumers.ts";
import { setFailed, startMessageSpan } from "./spans.ts";

/** Headers of a message: strings, or bytes as some brokers give them. */
export type MessageHeaders = Readonly<Record<string, unknown>>;

export interface ConsumeOptions {
  /** How long the work may take. @default no limit */
  maxTimeout?: Duration;
  /**
   * Signals of the broker's client that end the work: the message was taken away, or the job canceled.
   *
   * @default none
   */
  signals?: readonly (AbortSignal | undefined)[];
  /**
   * How the trace of the message belongs to that of its sender. `"link"`: a new trace, linked to it. `"parent"`: the
   * same trace, for a sender that waits for the result. @default "link"
   */
  relation?: "link" | "parent";
  /**
   * Whether propagated values of the message are accepted: only from a queue into which no others can write.
   *
   * @default false
   */
  trust?: boolean;
  /** The consumers that a drain ends. @default none */
  consumers?: Consumers;
  /** The broker, for spans: `"rabbitmq"`. No spans without it. */
  system?: string;
  /** The queue or topic, for spans. */
  destination?: string;
}

/**
 * What must become of a message.
 *
 * - `"ack"`: it was processed.
 * - `"dead"`: its own deadline has passed. Its sender does not wait any more: do not deliver it again.
 * - `"retry"`: the work failed, or ran into the limit of this consumer.
 * - `"requeue"`: the consumer drains. Deliver it to another one at once; it does not count as an attempt.
 */
export type Disposition = "ack" | "dead" | "retry" | "requeue";

export interface Consumed<T> {
  readonly disposition: Disposition;
  /** What the work returned, for `"ack"`. */
  readonly value?: T;
  /** Why it is not `"ack"`. */
  readonly error?: unknown;
  /** Whether the work was started: a message that arrives after its deadline is not processed. */
  readonly hasRun: boolean;
}

const ACTION = "consume a message";

/**
 * Processes a message in a Context of its own, which is `current()` in the work: it ends at the deadline of the
 * message, at `maxTimeout`, with the signals of the broker, and with a drain. It does not derive from the context that
 * is current at this call. It never rejects: the result says what must become of the message.
 *
 * @param work gets the context, and a promise that it returns is awaited
 * @throws TypeError, RangeError if an argument is wrong
 */
export async function consume<T>(
  headers: MessageHeaders | null | undefined,
  work: (ctx: Context) => Promise<T> | T,
  options: ConsumeOptions = {},
): Promise<Consumed<T>> {
  callable("work", work, ACTION);
  const { limit, signals, relation, trust, consumers, system, destination } = consumeSettings(options);
  const texts = textsOf(headers ?? {});
  const cancels: CancelFunc[] = [];
  const derive = ([ctx, cancel]: [Context, CancelFunc]): Context => (cancels.push(cancel), ctx);

  const caller = readTrace(texts["traceparent"], texts["tracestate"]);
  let ctx = withTrace(consumers?.ctx ?? background, relation === "parent" ? caller : undefined);
  ctx = receiveMessageValues(ctx, texts, trust);
  const at = parseMessageDeadline(texts[MESSAGE_DEADLINE_HEADER] ?? "");
  ctx = derive(withCancel(ctx));
  if (at !== undefined) ctx = derive(withDeadline(ctx, at, { source: MESSAGE }));
  if (limit !== undefined) ctx = derive(withTimeout(ctx, limit, { source: "maxTimeout" }));
  for (const signal of signals) if (signal !== undefined) ctx = derive(withSignal(ctx, signal));

  const done = consumers?.begin();
  try {
    const ended = ctx.err();
    if (ended !== undefined) return { disposition: dispositionOf(ctx, consumers), error: ended, hasRun: false };
    const theirs = activeConsumerSpan(caller);
    if (theirs !== undefined) return await process(trace.setSpan(ctx, theirs) as Context, work, undefined, consumers);
    const links = relation === "link" && caller ? [{ context: caller }] : [];
    const kind = SpanKind.CONSUMER;
    const span =
      system === undefined
        ? undefined
        : startMessageSpan(ctx, { kind, operation: "process", system, destination, links });
    const within = span === undefined ? ctx : (trace.setSpan(ctx, span) as Context);
    return await process(within, work, span, consumers);
  } finally {
    done?.();
    for (const cancel of cancels.toReversed()) cancel();
  }
}

/** The options with their defaults. */
interface ConsumeSettings extends Omit<ConsumeOptions, "maxTimeout"> {
  readonly limit: number | undefined;
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly relation: "link" | "parent";
  readonly trust: boolean;
}

/**
 * Checks the options of `consume`.
 *
 * @throws TypeError, RangeError if one is wrong
 */
export function consumeSettings(options: ConsumeOptions): ConsumeSettings {
  const {
    maxTimeout,
    signals = [],
    relation = "link",
    trust = false,
    consumers,
    system,
    destination,
    ...others
  } = options;
  refuseUnknown(others, ACTION);
  oneOf("relation", relation, ["link", "parent"], ACTION);
  const limit = maxTimeout === undefined ? undefined : milliseconds(maxTimeout, ACTION, "maxTimeout");
  if (!Array.isArray(signals)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'signals' must be a list of AbortSignals; received ${describeValue(signals)}`,
    );
  }
  return { limit, signals, relation, trust, consumers, system, destination } as ConsumeSettings;
}

/** The source of a message's own deadline. */
const MESSAGE = "message";

async function process<T>(
  ctx: Context,
  work: (ctx: Context) => Promise<T> | T,
  span: Span | undefined,
  consumers: Consumers | undefined,
): Promise<Consumed<T>> {
  try {
    const value = await otel.with(ROOT_CONTEXT, () => run(ctx, async () => work(ctx)));
    return { disposition: "ack", value, hasRun: true };
  } catch (error) {
    const ended = ctx.err();
    setFailed(span, error);
    if (ended === undefined) return { disposition: "retry", error, hasRun: true };
    return { disposition: dispositionOf(ctx, consumers), error: ended, hasRun: true };
  } finally {
    span?.end();
  }
}

/** What becomes of a message whose context has ended. */
function dispositionOf(ctx: Context, consumers: Consumers | undefined): Disposition {
  const error = ctx.err();
  if (consumers?.ctx.err() !== undefined && error === consumers.ctx.err()) return "requeue";
  return error instanceof DeadlineExceeded && error.source === MESSAGE ? "dead" : "retry";
}

/**
 * The active CONSUMER span, if an instrumentation, or the client itself, has made one for the message. It is linked to
 * the sender if it does not belong to the sender's trace.
 */
function activeConsumerSpan(sender: SpanContext | undefined): Span | undefined {
  const span = trace.getSpan(otel.active());
  if ((span as { kind?: SpanKind } | undefined)?.kind !== SpanKind.CONSUMER || !span!.isRecording()) return undefined;
  if (sender !== undefined && span!.spanContext().traceId !== sender.traceId) span!.addLink({ context: sender });
  return span;
}

/** Headers as text, by their names in lower case. */
function textsOf(headers: MessageHeaders): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const text = value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : value;
    if (typeof text === "string") texts[name.toLowerCase()] = text;
  }
  return texts;
}
