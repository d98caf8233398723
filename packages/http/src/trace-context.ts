import {
  type Context as OtelContext,
  createTraceState,
  isSpanContextValid,
  propagation,
  type SpanContext,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";

import { type RequestHeaders, single } from "./headers.ts";

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

/** Of version 00 just this long; of a later one longer, with a dash before what is not known of it. */
const LENGTH = 55;

function parseTraceparent(value: string, state: string | undefined): SpanContext | undefined {
  if (value.length < LENGTH) return undefined;
  const version = value.slice(0, 2);
  const flags = value.slice(53, 55);
  const hasDashes = value[2] === "-" && value[35] === "-" && value[52] === "-";
  if (!hasDashes || !HEX.test(version) || !HEX.test(flags) || version === "ff") return undefined;
  if (value.length > LENGTH && (version === "00" || value[LENGTH] !== "-")) return undefined;
  const traceState = state === undefined ? undefined : { traceState: createTraceState(state) };
  const traceFlags = Number.parseInt(flags, 16) & 1;
  const parsed = {
    traceId: value.slice(3, 35),
    spanId: value.slice(36, 52),
    traceFlags,
    isRemote: true,
    ...traceState,
  };
  return isLowerCase(parsed.traceId + parsed.spanId) && isSpanContextValid(parsed) ? parsed : undefined;
}

const HEX = /^[\da-f]{2}$/;

function isLowerCase(ids: string): boolean {
  return ids === ids.toLowerCase();
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
