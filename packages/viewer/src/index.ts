export { parseTraces } from "./otlp-json.ts";
export { type Receiver, type ReceiverOptions, startReceiver } from "./receiver.ts";
export { type AttributeValue, type SpanKind, type ViewedSpan } from "./span.ts";
export { TraceStore } from "./trace-store.ts";
export { waterfall, type WaterfallOptions } from "./waterfall.ts";
