export {
  type ChangeEvent,
  type ApiError,
  type ServiceCall,
  type ServiceGraph,
  type ServiceNode,
  type Trace,
  type TraceList,
  type TraceQuery,
  type TraceSummary,
} from "./api.ts";
export { formatTraces } from "./otlp/otlp-export.ts";
export { parseTracesJson } from "./otlp/otlp-json.ts";
export { parseTracesProtobuf } from "./otlp/otlp-protobuf.ts";
export {
  type Attributes,
  type AttributeValue,
  type SpanEvent,
  type SpanKind,
  type SpanLink,
  type ViewedSpan,
} from "./span.ts";
export { type StoreLimits, type StoreObserver, TraceStore } from "./store/trace-store.ts";
export { startViewer, type Viewer, type ViewerOptions } from "./server/viewer.ts";
export { waterfall, type WaterfallOptions } from "./waterfall.ts";
