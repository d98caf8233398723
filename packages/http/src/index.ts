export { type AdmissionOptions } from "./server/admission-options.ts";
export { type CallDetails, type CallPhase, callsOf } from "./client/call-details.ts";
export { type Criticality, criticality, withCriticality } from "./wire/criticality.ts";
export { type Codec, jsonCodec, textCodec } from "./wire/codec.ts";
export { propagateValue, type PropagationOptions } from "./wire/propagated-values.ts";
export { drain, type DrainableServer, type DrainOptions } from "./node/drain.ts";
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
export { type ClientOptions } from "./client/client-options.ts";
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
export { DeadlinePropagator, type DeadlinePropagatorOptions } from "./client/deadline-propagator.ts";
export { setRoute } from "./server/server-request.ts";
export { outboundHeaders } from "./client/outbound-headers.ts";
export { outcomeOf, type ServiceOutcome } from "./client/outcome.ts";
export { type Guard, type GuardedRequest } from "./server/guard.ts";
export { type Problem, type ProblemDocument } from "./server/problem.ts";
export { requestContext, streamContext } from "./node/request-context.ts";
export { type ServerOptions, type ServerSettings } from "./server/server-options.ts";
export { type Reach, type SendOptions } from "./client/outbound-policy.ts";
export { requestId } from "./wire/request-id.ts";
export { traceId } from "@throughline/context";
export { type TrustOptions } from "./server/trust.ts";

// For adapters.
export { type ReceivedRequest, type Receiver, createReceiver } from "./server/receive.ts";
export { type AdmissionDecision } from "./server/admission.ts";
export {
  type ProblemResponse,
  problemResponse,
  isRepresentationHeader,
  OUTCOME_HEADER,
} from "./server/problem-response.ts";
export { serverRequestOf } from "./server/receive.ts";
export { isDisconnect } from "./server/error-disposition.ts";
export { propagateIdentity } from "./wire/propagated-values.ts";
export { type EndedBy } from "./telemetry/attributes.ts";
export { type ClientSettings, clientSettings } from "./client/client-options.ts";
export {
  remainingDownstream,
  ServerRequest,
  serverRequestIn,
  type ActiveResponse,
  type Outcome,
  type ResponseEnd,
} from "./server/server-request.ts";
export { answerAtDeadline, trackResponse } from "./server/response-lifecycle.ts";
export { formatGrpcTimeout, parseGrpcTimeout } from "./wire/grpc-timeout.ts";
export { nodeHeaders, applyGuard } from "./server/guard.ts";
export { removePairs, type RequestHeaders, single, webHeaders } from "./wire/headers.ts";
export { type IncomingRequest, NodeIncoming } from "./node/node-incoming.ts";
export {
  type HostHandler,
  classifyError,
  classifyErrorOn,
  setRequestIdHeader,
  receiveNode,
  receiveStream,
  sendProblem,
  type ErrorDisposition,
} from "./node/receive-node.ts";
export { bindRequestEvents } from "./node/request-events.ts";
export { hostResponseOf } from "./node/node-response.ts";
export { cancelAndAnswer, GRACE_MS } from "./node/drain.ts";
export { addActiveRequest, removeActiveRequest, activeRequestsOf } from "./node/connections.ts";
export { type Peer, peerOf } from "./node/peer.ts";
export { type NodeRequest, type NodeResponse } from "./node/node-types.ts";
export { causes } from "./wire/causes.ts";
export { outboundCallIn, OutboundCall, type OutgoingRequest } from "./client/outbound-call.ts";
export { recordOutcome, removeOutcomeHeader, stripOutcomeHeader } from "./client/outcome.ts";
export { parseRetryAfter } from "./client/retry-after.ts";
export { problemOf } from "./server/problem.ts";
export { requestIdHeader } from "./wire/request-id.ts";
export { readInContext } from "./server/read-in-context.ts";
export { type HostResponse } from "./server/host-response.ts";
export { type Rpc } from "./telemetry/rpc.ts";
export { applyStreamLimits } from "./server/stream-limits.ts";
