export { answerError } from "./answer-error.ts";
export { contextAdapter } from "./axios-adapter.ts";
export { type CallInit } from "./call.ts";
export { type ContextFetch, createFetch, type FetchOptions } from "./create-fetch.ts";
export { guard } from "./guard.ts";
export { type FetchHandler, requestContext } from "./request-context.ts";
export { type FetchRetry } from "./retries.ts";
export { contextInterceptor } from "./undici-interceptor.ts";
export {
  type AdmissionOptions,
  type CallDetails,
  type CallPhase,
  callsOf,
  ClientDisconnected,
  type ClientOptions,
  connectTimeout,
  contextTtl,
  type DeadlineDialect,
  defaultDialects,
  envoyExpectedTimeout,
  Forbidden,
  grpcTimeout,
  type Guard,
  type GuardedRequest,
  InvalidDeadline,
  InvalidHeader,
  outboundHeaders,
  outcomeOf,
  type Destination,
  requestTimeout,
  requestTimeoutMs,
  ResponseSent,
  type SendOptions,
  ServerDraining,
  type ServerOptions,
  ServerOverloaded,
  serverTimeout,
  type ServiceOutcome,
  setRoute,
  type TrustOptions,
  Unauthenticated,
} from "@throughline/http";
