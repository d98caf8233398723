export { drain, type DrainableServer, type DrainOptions } from "./drain.ts";
export { ClientDisconnected, InvalidDeadline, ResponseSent, ServerDraining } from "./errors.ts";
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
export { type Problem } from "./problem.ts";
export { type ServerOptions } from "./server-options.ts";
export { traceId } from "./trace-id.ts";

// For adapters.
export { type Acceptor, acceptor, type Admission } from "./acceptor.ts";
export { type EndedBy } from "./attributes.ts";
export { ClientSpan } from "./client-span.ts";
export { type ClientSettings, clientSettings } from "./client-options.ts";
export { Exchange, type ResponseEnd } from "./exchange.ts";
export { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";
export { type RequestHeaders, webHeaders } from "./headers.ts";
export { acceptNode, followNode, judge, type Verdict } from "./node.ts";
export { sendProblem } from "./node-deadline.ts";
export { type NodeRequest, type NodeResponse } from "./node-types.ts";
export { isSuppressed } from "./otel-keys.ts";
export { outboundDeadline } from "./outbound.ts";
export { isRepresentationHeader, OUTCOME_HEADER, problemHeaders, problemOf } from "./problem.ts";
export { type IncomingRequest } from "./server-span.ts";
export { injectTrace } from "./trace-context.ts";
