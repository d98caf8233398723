// For the packages beside this one. Outside semantic versioning: all packages have one version.

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
