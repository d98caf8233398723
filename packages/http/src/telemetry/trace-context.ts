import { type Context as OtelContext, propagation, type TextMapGetter, type TextMapSetter } from "@opentelemetry/api";
import { readTrace, traceHeaders, withOwnSpan, withTrace } from "@throughline/context/internal";

import type { RequestHeaders } from "../wire/headers.ts";

const getter: TextMapGetter<RequestHeaders> = {
  get: (headers, key) => headers.get(key.toLowerCase()) as string | string[] | undefined,
  keys: (headers) => [...headers.names()],
};

/** Derives a context with the caller's trace. */
export function extractTrace<C extends OtelContext>(ctx: C, headers: RequestHeaders): C {
  // Propagators derive with `setValue`, which returns a Context for a Context.
  if (isPropagationDisabled || hasPropagator()) return propagation.extract(ctx, headers, getter) as C;
  return withTrace(ctx, readTrace(headers.get("traceparent"), headers.get("tracestate")));
}

/** Writes the trace of the context into the headers of an outbound request. */
export function injectTrace<Carrier>(ctx: OtelContext, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
  if (isPropagationDisabled) return;
  if (hasPropagator()) return propagation.inject(withOwnSpan(ctx), carrier, setter);
  for (const [name, value] of traceHeaders(ctx)) setter.set(carrier, name, value);
}

/** Whether OpenTelemetry has a propagator. Without one, as without an SDK, this package propagates the trace itself. */
function hasPropagator(): boolean {
  return propagation.fields().length > 0;
}

/** `OTEL_PROPAGATORS=none` disables propagation. */
const isPropagationDisabled = /(?:^|,)\s*none\s*(?:,|$)/.test(globalThis.process?.env["OTEL_PROPAGATORS"] ?? "");
