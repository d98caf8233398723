import {
  type Context as OtelContext,
  createTraceState,
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
  const value = single(headers, "traceparent");
  const caller = value === undefined ? undefined : parseTraceparent(value, headers);
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

const DASH = "-".charCodeAt(0);

/** The value of a lower-case hexadecimal digit, by its character; of what is none 255, as -1 is in a byte. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, code) => "0123456789abcdef".indexOf(String.fromCharCode(code)));

/** Room for one character after the fields, which takes up to four bytes in UTF-8. */
const characters = Buffer.alloc(LENGTH + 4);

/**
 * Version, trace, span and flags. Not by a regular expression, and not from the string itself, which take several times as long: every request
 * brings one. In UTF-8, which is as fast as latin1: that would drop the high byte of a character, and read U+0661 as `a`.
 */
function parseTraceparent(value: string, headers: RequestHeaders): SpanContext | undefined {
  if (value.length < LENGTH) return undefined;
  characters.write(value, "utf8");
  if (characters[2] !== DASH || characters[35] !== DASH || characters[52] !== DASH) return undefined;
  const version = bitsOf(0, 2);
  const trace = bitsOf(3, 35);
  const span = bitsOf(36, 52);
  if ((version | trace | span | bitsOf(53, LENGTH)) >= 16 || trace === 0 || span === 0) return undefined;
  if (value.startsWith("ff") || (value.length > LENGTH && (version === 0 || characters[LENGTH] !== DASH)))
    return undefined;
  const caller = {
    traceId: value.slice(3, 35),
    spanId: value.slice(36, 52),
    traceFlags: DIGITS[characters[LENGTH - 1]!]! & TraceFlags.SAMPLED,
    isRemote: true,
  };
  const state = single(headers, "tracestate");
  return state === undefined ? caller : { ...caller, traceState: createTraceState(state) };
}

/** All bits that are set in any of the digits from one place to before another: 0 where all are zeros, 16 or more where one is no digit. */
function bitsOf(from: number, to: number): number {
  let bits = 0;
  for (let index = from; index < to; index++) bits |= DIGITS[characters[index]!]!;
  return bits;
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
