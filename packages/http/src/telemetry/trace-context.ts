import { type Context as OtelContext, propagation, type TextMapGetter, type TextMapSetter } from "@opentelemetry/api";
import { readTrace, traceHeaders, withOwnSpan, withTrace } from "@throughline/context/internal";

import type { RequestHeaders } from "../wire/headers.ts";

const getter: TextMapGetter<RequestHeaders> = {
  get: (headers, key) => headers.get(key.toLowerCase()) as string | string[] | undefined,
  keys: (headers) => [...headers.names()],
};

/** The context with the caller's trace. */
export function extractTrace<C extends OtelContext>(ctx: C, headers: RequestHeaders): C {
  // Derived by `setValue`, a Context stays one.
  if (isUnwanted || isPropagated()) return propagation.extract(ctx, headers, getter) as C;
  return withTrace(ctx, readTrace(headers.get("traceparent"), headers.get("tracestate")));
}

/** Writes the context's trace into the headers of a request to come. */
export function injectTrace<Carrier>(ctx: OtelContext, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
  if (isUnwanted) return;
  if (isPropagated()) return propagation.inject(withOwnSpan(ctx), carrier, setter);
  for (const [name, value] of traceHeaders(ctx)) setter.set(carrier, name, value);
}

/** Whether OpenTelemetry has a propagator. Where it has none, in a service without an SDK, there is a trace all the same. */
function isPropagated(): boolean {
  return propagation.fields().length > 0;
}

/** The operator wants nothing passed on. */
const isUnwanted = /(?:^|,)\s*none\s*(?:,|$)/.test(process.env["OTEL_PROPAGATORS"] ?? "");
