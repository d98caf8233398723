import { type Tracer, trace } from "@opentelemetry/api";

/** Our tracer. Asked for at each use, since an SDK may start after this module was loaded. */
export function tracer(): Tracer {
  return trace.getTracer("@throughline/http");
}
