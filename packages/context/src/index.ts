export { afterFunc } from "./after-func.ts";
export { background, Context, isContext, todo } from "./context.ts";
export { bind, current, run } from "./current.ts";
export {
  type CancelFunc,
  type DeadlineOptions,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
} from "./derive.ts";
export type { Duration } from "./duration.ts";
export { Canceled, ContextError, type ContextErrorCode, type DeadlineDetails, DeadlineExceeded } from "./errors.ts";
export { createKey, type Key } from "./key.ts";
export { TraceContextPropagator, traceId } from "./trace-context.ts";
