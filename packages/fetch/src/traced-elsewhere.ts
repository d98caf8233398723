import { hasSubscribers } from "node:diagnostics_channel";
import http from "node:http";

/** Whether an instrumentation makes spans of fetch's requests and writes their trace headers: then we do neither. */
export function isTracedElsewhere(): boolean {
  return hasSubscribers("undici:request:create");
}

/** The same for requests of `node:http`, which OpenTelemetry's instrumentation wraps. */
export function isHttpTraced(): boolean {
  return (http.request as { __wrapped?: boolean }).__wrapped === true;
}
