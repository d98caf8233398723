export { ContextExceptionFilter } from "./context-exception-filter.ts";
export { ContextModule, type ContextModuleAsyncOptions, type ContextModuleOptions } from "./context-module.ts";
export { CurrentContext } from "./current-context.ts";
export { EntryContext, type EntryContextOptions } from "./entry-context.ts";
export { guard } from "./guard.ts";
export { type Middleware, requestContext } from "./request-context.ts";

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
