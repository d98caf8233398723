export { clientInterceptor, type GrpcClientOptions } from "./client-interceptor.ts";
export { drain } from "./drain.ts";
export { type GrpcServerOptions, serverInterceptor } from "./server-interceptor.ts";
export { statusOf } from "./status-object.ts";

// Types of guards and options.
export { type ClientOptions, type Guard, type GuardedRequest, type ServerOptions } from "@throughline/http";
// Errors, and the calls that an ended context has interrupted.
export {
  type CallDetails,
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
