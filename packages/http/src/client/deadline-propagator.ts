import type { Context as OtelContext, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { type Context, type Duration, isContext, withDeadline, withTimeout } from "@throughline/context";
import { isTracingSuppressed, milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";

import { grpcTimeout } from "../wire/dialects.ts";
import { remainingDownstream } from "../wire/downstream-deadline.ts";
import { formatMessageDeadline, MESSAGE_DEADLINE_HEADER, parseMessageDeadline } from "../wire/message-deadline.ts";
import { outboundCallIn } from "./outbound-call.ts";

export interface DeadlinePropagatorOptions {
  /**
   * What carries the deadline: a `request`, which is received as soon as it is sent, or a `message`, which may wait in a queue.
   *
   * @default "request"
   */
  carrier?: "request" | "message";
  /** The most time that an extracted deadline may leave. A header that the sender has not set is not made up for. @default no limit */
  maxTimeout?: Duration;
}

const ACTION = "create a deadline propagator";

/**
 * A propagator of deadlines for code that calls `propagation.inject` and `propagation.extract` of OpenTelemetry, such as the instrumentations of
 * kafkajs, amqplib, SQS and BullMQ. Add it to those that are set up:
 * `startTelemetry({ propagators: [new DeadlinePropagator({ carrier: "message" })] })`, or to a `CompositePropagator`.
 *
 * For requests it writes `grpc-timeout`, the time that is left. For messages it writes `throughline-deadline`, a point of time in milliseconds since the
 * epoch: the time that a message waits in a queue counts, which a time that is left would leave out. The clocks of both sides must agree.
 *
 * Extraction derives a Context from any OpenTelemetry context; an earlier deadline of that stays in force. Nobody can cancel what it derives: that
 * costs nothing while nothing observes it, and a timer until the deadline once something does, so that a consumer derives with `withCancel` and
 * cancels when a message is done. A malformed value is ignored. Under suppressed tracing, as in exports of telemetry, it does nothing.
 *
 * The clients and servers of this library go by their own options instead: requests that they send or receive are left as they are.
 */
export class DeadlinePropagator implements TextMapPropagator {
  readonly #isMessage: boolean;
  readonly #maxTimeout: number;

  /** @throws TypeError, RangeError if an option is wrong */
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

/** The time that is left, of a deadline that is only passed on too; the least there is once it is up: without a header there would be no limit. */
function requestTimeout(ctx: Context): string | undefined {
  // An instrumentation of the client that sends a call of ours, which has the header already.
  if (outboundCallIn(ctx) !== undefined) return undefined;
  const left = Math.min(ctx.remaining(), remainingDownstream(ctx));
  return left === Infinity ? undefined : grpcTimeout.format(Math.max(1, left));
}

function messageDeadline({ deadline }: Context): string | undefined {
  return deadline && formatMessageDeadline(deadline);
}

/** A header's value, which kafkajs and amqplib have as bytes; `undefined` where there are several. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.length === 1 ? textOf(value[0]) : undefined;
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1");
  return typeof value === "string" ? value : undefined;
}
