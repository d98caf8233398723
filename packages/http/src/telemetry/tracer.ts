import { ProxyTracerProvider, type Tracer, type TracerProvider, trace } from "@opentelemetry/api";

import { warnOfOtherApi } from "./installed-api.ts";

/** The provider of the API without an SDK. */
const NOOP_PROVIDER = new ProxyTracerProvider().getDelegate();

/** The name of the instrumentation scope of this package's spans. */
export const INSTRUMENTATION_SCOPE = "@throughline/http";

let cached: { readonly provider: TracerProvider; readonly tracer: Tracer } | undefined;

/**
 * Returns the tracer of this package; `undefined` without a tracing SDK, so that callers can skip the attributes of
 * spans. Call it for each span: an SDK may start after this module was loaded.
 */
export function tracer(): Tracer | undefined {
  const global = trace.getTracerProvider();
  const provider = global instanceof ProxyTracerProvider ? global.getDelegate() : global;
  if (provider === NOOP_PROVIDER) {
    warnOfOtherApi();
    return undefined;
  }
  if (cached?.provider !== provider) cached = { provider, tracer: provider.getTracer(INSTRUMENTATION_SCOPE) };
  return cached.tracer;
}
