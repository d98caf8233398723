export { type CallDetails, callsOf } from "./client/call-end.ts";
export { type ClientOptions } from "./client/client-options.ts";
export { DeadlinePropagator, type DeadlinePropagatorOptions } from "./client/deadline-propagator.ts";
export { outboundHeaders } from "./client/outbound-headers.ts";
export { type Destination, type SendOptions } from "./client/outbound-policy.ts";
export { outcomeOf } from "./client/outcome.ts";
export { drain, type DrainableServer } from "./node/drain.ts";
export { requestContext, streamContext } from "./node/request-context.ts";
export { upgradeContext, type UpgradeOptions } from "./node/upgrade-context.ts";
export { handleMessage, type MessageOptions } from "./node/upgraded-connection.ts";
export { type CallPhase } from "./observe/client-call.ts";
export { type AdmissionOptions } from "./server/admission.ts";
export { type DrainOptions } from "./server/drain.ts";
export { type Guard, type GuardedRequest } from "./server/guard.ts";
export { type ProblemDocument } from "./server/problem.ts";
export { type ServerOptions } from "./server/server-options.ts";
export { setRoute } from "./server/server-request.ts";
export { type TrustOptions } from "./server/trust.ts";
export { type Codec, jsonCodec, textCodec } from "./wire/codec.ts";
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
} from "./wire/dialects.ts";
export {
  ClientDisconnected,
  Forbidden,
  InvalidDeadline,
  InvalidHeader,
  ResponseSent,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "./wire/errors.ts";
export { type PropagationOptions, propagateValue } from "./wire/propagated-values.ts";
export { type ServiceOutcome } from "./wire/outcome-header.ts";
export { requestId } from "./wire/request-id.ts";
export { traceId } from "@throughline/context";
export { type Criticality, criticality, withCriticality } from "@throughline/resilience/internal";
