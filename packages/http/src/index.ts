export { type AdmissionOptions } from "./admission-options.ts";
export { type CallDetails, type CallPhase, callsOf } from "./call-details.ts";
export { type Criticality, criticality, withCriticality } from "./criticality.ts";
export { type Codec, jsonCodec, textCodec } from "./codec.ts";
export { declare, type Declaration } from "./declare.ts";
export { drain, type DrainableServer, type DrainOptions } from "./drain.ts";
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
export { type ClientOptions } from "./client-options.ts";
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
} from "./dialects.ts";
export { setRoute } from "./exchange.ts";
export { outcomeOf, type ServiceOutcome } from "./outcome.ts";
export { type Guard, type GuardedRequest } from "./guard.ts";
export { type Problem, type ProblemDocument } from "./problem.ts";
export { requestContext, streamContext } from "./request-context.ts";
export { type ServerOptions, type ServerSettings } from "./server-options.ts";
export { type Reach, type SendOptions } from "./outbound-policy.ts";
export { traceId } from "./trace-id.ts";
export { type TrustOptions } from "./trust.ts";

// For adapters.
export { type Accepted, type Acceptor, acceptor } from "./acceptor.ts";
export { type Turn } from "./admission.ts";
export { type Answer, answerOf, isRepresentationHeader, OUTCOME_HEADER } from "./answer.ts";
export { declareIdentity } from "./declare.ts";
export { type EndedBy } from "./attributes.ts";
export { type ClientSettings, clientSettings } from "./client-options.ts";
export { Exchange, exchangeIn, type ExchangeResponse, type Outcome, type ResponseEnd } from "./exchange.ts";
export { answerAtDeadline, follow } from "./follow.ts";
export { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";
export { headersOf, passGuard } from "./guard.ts";
export { type RequestHeaders, single, webHeaders } from "./headers.ts";
export { type IncomingRequest, NodeIncoming } from "./incoming-request.ts";
export { type Handling, judge, receiveNode, receiveStream, sendProblem, type Verdict } from "./node.ts";
export { replyOf } from "./node-reply.ts";
export { haveTheLastWord, LAST_WORD } from "./drain.ts";
export { joinTraffic, leaveTraffic, trafficOf } from "./node-traffic.ts";
export { type Peer, peerOf } from "./peer.ts";
export { type NodeRequest, type NodeResponse } from "./node-types.ts";
export { causes } from "./causes.ts";
export { callIn, OutboundCall, type OutgoingRequest } from "./outbound-call.ts";
export { unmarked } from "./outcome.ts";
export { parseRetryAfter } from "./retry-after.ts";
export { problemOf } from "./problem.ts";
export { type Reply } from "./reply.ts";
export { type Rpc } from "./rpc.ts";
export { limitStream } from "./stream-limits.ts";
