import type { Context as OtelContext, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { type Context, type Duration, isContext, withDeadline, withTimeout } from "@throughline/context";
import { isTracingSuppressed, milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";

import { formatMessageDeadline, grpcTimeout, MESSAGE_DEADLINE_HEADER, parseMessageDeadline } from "../wire/dialects.ts";
import { outboundCallIn } from "./outbound-call.ts";
import { remainingDownstream } from "./outbound-deadline.ts";

export interface DeadlinePropagatorOptions {
  /**
   * What carries the deadline: a `request`, which is received immediately, or a `message`, which may wait in a queue.
   *
   * @default "request"
   */
  carrier?: "request" | "message";
  /**
   * The limit for an extracted deadline, from now. It does not apply if the sender set no deadline.
   *
   * @default no limit
   */
  maxTimeout?: Duration;
}

const ACTION = "create a deadline propagator";

/**
 * A propagator of deadlines for code that calls OpenTelemetry's `propagation.inject` and `propagation.extract`, such as
 * the instrumentations of kafkajs, amqplib, SQS and BullMQ. Add it to the other propagators, in a `CompositePropagator`
 * or in `startTelemetry({ propagators: [new DeadlinePropagator({ carrier: "message" })] })`.
 *
 * A request gets `grpc-timeout`, the remaining time. A message gets `throughline-deadline`, a point in time in
 * milliseconds since the epoch, so that the time in a queue counts; the clocks of both sides must agree.
 *
 * Extraction derives a Context from any OpenTelemetry context and keeps an earlier deadline of it. The derived Context
 * has no cancel function. It costs nothing until something observes it, and then a timer until the deadline; a consumer
 * can derive with `withCancel` and cancel when the message is done. A malformed value is ignored. Under suppressed
 * tracing, as in exports of telemetry, the propagator does nothing.
 *
 * It does not change requests that the clients of this library send or its servers receive: their own options apply.
 */
export class DeadlinePropagator implements TextMapPropagator {
  readonly #isMessage: boolean;
  readonly #maxTimeout: number;

  /** @throws TypeError, RangeError if an option is invalid */
  constructor(options: DeadlinePropagatorOptions = {}) {
    const { carrier, maxTimeout, ...others } = options;
    refuseUnknown(others, ACTION);
    this.#isMessage = oneOf("carrier", carrier, ["request", "message"], ACTION) === "message";
    this.#maxTimeout = maxTimeout === undefined ? Infinity : milliseconds(maxTimeout, ACTION, "maxTimeout");
  }

  inject<Carrier>(ctx: OtelContext, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
    if (!isContext(ctx) || isTracingSuppressed(ctx)) return;
    const value = this.#isMessage ? messageDeadline(ctx) : requestTimeout(ctx);
    if (value !== undefined) setter.set(carrier, this.#header, value);
  }

  extract<Carrier>(ctx: OtelContext, carrier: Carrier, getter: TextMapGetter<Carrier>): OtelContext {
    if (isTracingSuppressed(ctx)) return ctx;
    const value = textOf(getter.get(carrier, this.#header));
    if (value === undefined) return ctx;
    const options = { source: `${this.#header} header` };
    if (!this.#isMessage) {
      const timeout = grpcTimeout.parse(value);
      return timeout === undefined ? ctx : withTimeout(ctx, Math.min(timeout, this.#maxTimeout), options)[0];
    }
    const at = parseMessageDeadline(value);
    if (at === undefined) return ctx;
    const isTooFar = at - Date.now() > this.#maxTimeout;
    return (isTooFar ? withTimeout(ctx, this.#maxTimeout, options) : withDeadline(ctx, at, options))[0];
  }

  fields(): string[] {
    return [this.#header];
  }

  get #header(): string {
    return this.#isMessage ? MESSAGE_DEADLINE_HEADER : grpcTimeout.header;
  }
}

/**
 * Formats the remaining time, also of a downstream deadline. It is at least 1 ms: without a header the receiver would
 * have no limit.
 */
function requestTimeout(ctx: Context): string | undefined {
  // An instrumentation injects into a request of this library's client, which has the header already.
  if (outboundCallIn(ctx) !== undefined) return undefined;
  const left = Math.min(ctx.remaining(), remainingDownstream(ctx));
  return left === Infinity ? undefined : grpcTimeout.format(Math.max(1, left));
}

function messageDeadline({ deadline }: Context): string | undefined {
  return deadline && formatMessageDeadline(deadline);
}

/** Returns the value of a header, which is bytes in kafkajs and amqplib; `undefined` if there are several. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.length === 1 ? textOf(value[0]) : undefined;
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1");
  return typeof value === "string" ? value : undefined;
}
