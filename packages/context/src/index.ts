export { afterFunc } from "./after-func.ts";
export { type CancelFunc, withCancel, withSignal } from "./cancel.ts";
export { background, Context, isContext, todo } from "./context.ts";
export { bind, current, run } from "./current.ts";
export { type DeadlineOptions, withDeadline, withTimeout } from "./deadline.ts";
export type { Duration } from "./duration.ts";
export { Canceled, ContextError, type ContextErrorCode, DeadlineExceeded, type DeadlineDetails } from "./errors.ts";
export { createKey, type Key } from "./key.ts";
export { withValue } from "./value.ts";
export { withoutCancel } from "./without-cancel.ts";
export { traceId, TraceContextPropagator } from "./trace-context.ts";

// For the packages beside this one.
export {
  newTraceId,
  readTrace,
  traceHeaders,
  type TraceOwner,
  traceOwnerKey,
  withOwnSpan,
  withoutSpace,
  withTrace,
} from "./trace-context.ts";
export { callAfter } from "./alarm.ts";
export { isAttached } from "./attached.ts";
export { canEnd, type EndObserver, onEnd, onEndFirst, type Stoppable } from "./on-end.ts";
export { runRequest } from "./current.ts";
export { describe } from "./describe.ts";
export { deadlineDetails, hasDeadline } from "./details.ts";
export { milliseconds, remainingTime } from "./duration.ts";
export { brand } from "./brand.ts";
export { CLIENT_CLOSED_REQUEST, STATUS } from "./errors.ts";
export { parentOf } from "./parent.ts";
export { type Registered, registered } from "./registered.ts";
export { callable, oneOf, refuseUnknown, wholeNumber } from "./options.ts";
export { isSuppressed } from "./suppressed.ts";
export { markStack, withoutStack } from "./ending.ts";
export { checkValues } from "./value.ts";
