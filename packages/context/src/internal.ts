// For sibling packages only, and not covered by semantic versioning. All packages have the same version.

export { brand } from "./brand.ts";
export { now } from "./clock.ts";
export { parentOf } from "./context.ts";
export { runRequest } from "./current.ts";
export { checkValues } from "./derive.ts";
export { describeScope } from "./describe-derivation.ts";
export { describeValue } from "./describe-value.ts";
export { milliseconds, remainingTime } from "./duration.ts";
export { markStack, withoutStack } from "./end.ts";
export { CLIENT_CLOSED_REQUEST, STATUS } from "./errors.ts";
export { canEnd, deadlineDetails, hasDeadline, isAttached } from "./inspect.ts";
export { lazyInstruments } from "./instruments.ts";
export { emitWarning, nodeModule } from "./node-module.ts";
export { type EndObserver, onEnd, onEndFirst, type Stoppable } from "./on-end.ts";
export { callable, oneOf, refuseUnknown, wholeNumber } from "./options.ts";
export { isTracingSuppressed, type RegisteredApi, registeredApi } from "./otel-api.ts";
export { type Listeners, Scope } from "./scope.ts";
export {
  arm,
  armedDeadlines,
  armedEntries,
  callAfter,
  disarm,
  fireEntry,
  type ManualClock,
  manualClock,
  nextEntry,
  type TimerEntry,
  useManualClock,
} from "./timer-heap.ts";
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
