export {
  type ChangeEvent,
  type ApiError,
  type DeadlineQuery,
  type DeadlineReport,
  type HopDeadlines,
  type OpenedFile,
  type RefusedSpans,
  type RemoteDeadlineQuery,
  type RemoteSearch,
  type RemoteServer,
  type ServiceCall,
  type ServiceGraph,
  type ServiceNode,
  type ServiceTime,
  type Trace,
  type TraceList,
  type TraceQuery,
  type TraceSort,
  type TraceSummary,
  type WorkAfterEnd,
} from "./api.ts";
export { formatTraces } from "./otlp/otlp-export.ts";
export { parseTraceFile } from "./formats/trace-file.ts";
export { type RejectSpan } from "./otlp/otlp.ts";
export { parseTracesJson } from "./otlp/otlp-json.ts";
export { parseTracesProtobuf } from "./otlp/otlp-protobuf.ts";
export { type RemoteOptions } from "./remote/remote-client.ts";
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
