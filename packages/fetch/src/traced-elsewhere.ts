import { hasSubscribers } from "node:diagnostics_channel";

/** Whether an instrumentation makes spans of fetch's requests and writes their trace headers: then we do neither. */
export function isTracedElsewhere(): boolean {
  return hasSubscribers("undici:request:create");
}
