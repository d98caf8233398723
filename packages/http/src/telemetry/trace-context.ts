import {
  type Context as OtelContext,
  createTraceState,
  INVALID_SPANID,
  INVALID_TRACEID,
  isSpanContextValid,
  propagation,
  type SpanContext,
  type TextMapGetter,
  type TextMapSetter,
  TraceFlags,
  trace,
} from "@opentelemetry/api";

import { type RequestHeaders, single } from "../headers.ts";

const getter: TextMapGetter<RequestHeaders> = {
  get: (headers, key) => headers.get(key.toLowerCase()) as string | string[] | undefined,
  keys: (headers) => [...headers.names()],
};

/** The context with the caller's trace. */
export function extractTrace<C extends OtelContext>(ctx: C, headers: RequestHeaders): C {
  // Derived by `setValue`, a Context stays one.
  if (propagated()) return propagation.extract(ctx, headers, getter) as C;
  const caller = parseTraceparent(single(headers, "traceparent") ?? "", single(headers, "tracestate"));
  return caller === undefined ? ctx : (trace.setSpanContext(ctx, caller) as C);
}

/** Writes the context's trace into the headers of a request to come. */
export function injectTrace<Carrier>(ctx: OtelContext, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
  if (propagated()) return propagation.inject(ctx, carrier, setter);
  const own = trace.getSpanContext(ctx);
  if (own === undefined || !isSpanContextValid(own)) return;
  setter.set(carrier, "traceparent", formatTraceparent(own));
  const state = own.traceState?.serialize();
  if (state) setter.set(carrier, "tracestate", state);
}

/**
 * Whether OpenTelemetry has a propagator. Where it has none, in a service without an SDK, the trace is passed through as it
 * came (W3C Trace Context, 4.3): the services before and after stay in one trace.
 */
function propagated(): boolean {
  return isUnwanted || propagation.fields().length > 0;
}

/** The operator wants nothing passed on. */
const isUnwanted = /(?:^|,)\s*none\s*(?:,|$)/.test(process.env["OTEL_PROPAGATORS"] ?? "");

/** How long it is in version 00, which has no more; a later version may have more, after a dash. */
const LENGTH = 55;

/** Last digits of flags whose lowest bit is set. */
const ODD = "13579bdf";

/** Version, trace, span and flags. Not by a regular expression, which takes several times as long: every request brings one. */
function parseTraceparent(value: string, state: string | undefined): SpanContext | undefined {
  const hasDashes = value[2] === "-" && value[35] === "-" && value[52] === "-";
  if (!hasDashes || !isHex(value, 0, 2) || !isHex(value, 3, 35) || !isHex(value, 36, 52) || !isHex(value, 53, LENGTH)) {
    return undefined;
  }
  if (value.startsWith("ff") || (value.length > LENGTH && (value.startsWith("00") || value[LENGTH] !== "-"))) {
    return undefined;
  }
  const traceId = value.slice(3, 35);
  const spanId = value.slice(36, 52);
  if (traceId === INVALID_TRACEID || spanId === INVALID_SPANID) return undefined;
  const traceFlags = ODD.includes(value[54]!) ? TraceFlags.SAMPLED : TraceFlags.NONE;
  if (state === undefined) return { traceId, spanId, traceFlags, isRemote: true };
  return { traceId, spanId, traceFlags, isRemote: true, traceState: createTraceState(state) };
}

/** Whether all from one place to before another are digits or `a` to `f`. */
function isHex(value: string, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    const code = value.charCodeAt(index);
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return false;
  }
  return true;
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
