import http from "node:http";

/** Whether an instrumentation makes spans of requests of `node:http`: OpenTelemetry's wraps it. */
export function isHttpTraced(): boolean {
  return (http.request as { __wrapped?: boolean }).__wrapped === true;
}
