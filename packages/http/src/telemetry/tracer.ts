import { ProxyTracerProvider, type Tracer, type TracerProvider, trace } from "@opentelemetry/api";

import { warnOfOtherApi } from "./installed-api.ts";

/** What the API hands out where no SDK has been set up. */
const nothing = new ProxyTracerProvider().getDelegate();

/** Who makes our spans. */
export const SCOPE = "@throughline/http";

let known: { readonly provider: TracerProvider; readonly tracer: Tracer } | undefined;

/**
 * Our tracer; `undefined` where no SDK has been set up, so that nobody need describe a span that will not be. Asked for at each use, since
 * an SDK may start after this module was loaded.
 */
export function tracer(): Tracer | undefined {
  const global = trace.getTracerProvider();
  const provider = global instanceof ProxyTracerProvider ? global.getDelegate() : global;
  if (provider === nothing) {
    warnOfOtherApi();
    return undefined;
  }
  if (known?.provider !== provider) known = { provider, tracer: provider.getTracer(SCOPE) };
  return known.tracer;
}
