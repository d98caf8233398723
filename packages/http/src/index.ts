export { type AdmissionOptions } from "./admission-options.ts";
export { type Criticality, criticality, withCriticality } from "./criticality.ts";
export { drain, type DrainableServer, type DrainOptions } from "./drain.ts";
export {
  ClientDisconnected,
  InvalidDeadline,
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
export { type Problem, type ProblemDocument } from "./problem.ts";
export { requestContext, streamContext } from "./request-context.ts";
export { type ServerOptions } from "./server-options.ts";
export { traceId } from "./trace-id.ts";

// For adapters.
export { type Accepted, type Acceptor, acceptor } from "./acceptor.ts";
export { type Turn } from "./admission.ts";
export { type Answer, answerOf, isRepresentationHeader, OUTCOME_HEADER } from "./answer.ts";
export { type EndedBy } from "./attributes.ts";
export { ClientSpan } from "./client-span.ts";
export { type ClientSettings, clientSettings } from "./client-options.ts";
export { Exchange, type Outcome, type ResponseEnd } from "./exchange.ts";
export { answerAtDeadline, follow } from "./follow.ts";
export { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";
export { type RequestHeaders, webHeaders } from "./headers.ts";
export { type IncomingRequest } from "./incoming-request.ts";
export { type Handling, judge, receiveNode, receiveStream, sendProblem, type Verdict } from "./node.ts";
export { replyOf } from "./node-reply.ts";
export { joinTraffic } from "./node-traffic.ts";
export { type NodeRequest, type NodeResponse } from "./node-types.ts";
export { isSuppressed } from "./otel-keys.ts";
export { outboundDeadline } from "./outbound.ts";
export { problemOf } from "./problem.ts";
export { type Reply } from "./reply.ts";
export { limitStream } from "./stream-limits.ts";
export { injectTrace } from "./trace-context.ts";
