export { type AdmissionOptions } from "./server/admission-options.ts";
export { type CallDetails, type CallPhase, callsOf } from "./client/call-details.ts";
export { type Criticality, criticality, withCriticality } from "./values/criticality.ts";
export { type Codec, jsonCodec, textCodec } from "./values/codec.ts";
export { declare, type Declaration } from "./values/declare.ts";
export { drain, type DrainableServer, type DrainOptions } from "./server/drain.ts";
export {
  ClientDisconnected,
  Forbidden,
  InvalidDeadline,
  InvalidHeader,
  ResponseSent,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "./errors.ts";
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
} from "./deadline/dialects.ts";
export { DeadlinePropagator, type DeadlinePropagatorOptions } from "./deadline/deadline-propagator.ts";
export { setRoute } from "./server/exchange.ts";
export { outboundHeaders } from "./client/outbound-headers.ts";
export { outcomeOf, type ServiceOutcome } from "./client/outcome.ts";
export { type Guard, type GuardedRequest } from "./server/guard.ts";
export { type Problem, type ProblemDocument } from "./server/problem.ts";
export { requestContext, streamContext } from "./server/request-context.ts";
export { type ServerOptions, type ServerSettings } from "./server/server-options.ts";
export { type Reach, type SendOptions } from "./client/outbound-policy.ts";
export { requestId } from "./values/request-id.ts";
export { traceId } from "@throughline/context";
export { type TrustOptions } from "./values/trust.ts";

// For adapters.
export { type Accepted, type Acceptor, acceptor } from "./server/acceptor.ts";
export { type Turn } from "./server/admission.ts";
export { type Answer, answerOf, isRepresentationHeader, OUTCOME_HEADER } from "./server/answer.ts";
export { exchangeOf } from "./server/acceptor.ts";
export { isDisconnect } from "./server/disconnect.ts";
export { declareIdentity } from "./values/declare.ts";
export { type EndedBy } from "./telemetry/attributes.ts";
export { type ClientSettings, clientSettings } from "./client/client-options.ts";
export {
  declaredRemaining,
  Exchange,
  exchangeIn,
  type ExchangeResponse,
  type Outcome,
  type ResponseEnd,
} from "./server/exchange.ts";
export { answerAtDeadline, follow } from "./server/follow.ts";
export { formatGrpcTimeout, parseGrpcTimeout } from "./deadline/grpc-timeout.ts";
export { headersOf, passGuard } from "./server/guard.ts";
export { removePairs, type RequestHeaders, single, webHeaders } from "./headers.ts";
export { type IncomingRequest, NodeIncoming } from "./server/incoming-request.ts";
export {
  type Handling,
  judge,
  judgeReply,
  nameResponse,
  receiveNode,
  receiveStream,
  sendProblem,
  type Verdict,
} from "./node/node.ts";
export { emitInContext } from "./node/emit-in-context.ts";
export { replyOf } from "./node/node-reply.ts";
export { haveTheLastWord, LAST_WORD } from "./server/drain.ts";
export { joinTraffic, leaveTraffic, trafficOf } from "./node/node-traffic.ts";
export { type Peer, peerOf } from "./values/peer.ts";
export { type NodeRequest, type NodeResponse } from "./node/node-types.ts";
export { causes } from "./causes.ts";
export { callIn, OutboundCall, type OutgoingRequest } from "./client/outbound-call.ts";
export { markOutcome, takeOutcome, unmarked } from "./client/outcome.ts";
export { parseRetryAfter } from "./client/retry-after.ts";
export { problemOf } from "./server/problem.ts";
export { requestIdHeader } from "./values/request-id.ts";
export { readInContext } from "./server/read-in-context.ts";
export { type Reply } from "./server/reply.ts";
export { type Rpc } from "./telemetry/rpc.ts";
export { limitStream } from "./server/stream-limits.ts";
