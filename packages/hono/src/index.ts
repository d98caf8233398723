export { errorHandler } from "./error-handler.ts";
export { guard } from "./guard.ts";
export { requestContext } from "./request-context.ts";

// Options and helpers of every server.
export { drain, type Guard, type GuardedRequest, type ServerOptions, setRoute } from "@throughline/http";
// Errors, and the calls that an ended context has interrupted.
export {
  callsOf,
  ClientDisconnected,
  Forbidden,
  InvalidDeadline,
  InvalidHeader,
  ResponseSent,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "@throughline/http";
// Headers for the option `deadlineHeaders`.
export {
  connectTimeout,
  contextTtl,
  type DeadlineDialect,
  defaultDialects,
  envoyExpectedTimeout,
  grpcTimeout,
  requestTimeout,
  requestTimeoutMs,
  serverTimeout,
} from "@throughline/http";
