// For sibling packages that adapt a host, a client or an identity. Not covered by semantic versioning: all packages
// have the same version.

export { recordCall } from "./client/call-end.ts";
export { type ClientSettings, clientSettings } from "./client/client-options.ts";
export { OutboundCall, outboundCallIn } from "./client/outbound-call.ts";
export { remainingDownstream } from "./client/outbound-deadline.ts";
export { recordOutcome, removeOutcomeHeader, stripOutcomeHeader } from "./client/outcome.ts";
export { parseRetryAfter } from "./client/retry-after.ts";
export { addActiveRequest, connectionsOf } from "./node/connections.ts";
export { NodeIncoming } from "./node/node-incoming.ts";
export { hostResponseOf } from "./node/node-response.ts";
export { type NodeRequest, type NodeResponse } from "./node/node-incoming.ts";
export { peerOf } from "./node/peer.ts";
export {
  classifyError,
  createNodeReceiver,
  receiveNode,
  sendProblem,
  setRequestIdHeader,
} from "./node/receive-node.ts";
export { bindRequestEvents } from "./node/request-events.ts";
export { type OutgoingRequest } from "./observe/client-call.ts";
export { type Rpc } from "./observe/rpc.ts";
export {
  type EndedBy,
  type IncomingRequest,
  type Outcome,
  type Peer,
  type ResponseEnd,
} from "./observe/server-request.ts";
export { activeRequestsOf } from "./server/active-requests.ts";
export { type AdmissionDecision } from "./server/admission.ts";
export { GRACE_MS, limitDownstream, waitAndCancel } from "./server/drain.ts";
export { isDisconnect } from "./server/disconnect.ts";
export { applyGuard, nodeHeaders } from "./server/guard.ts";
export { type HostResponse } from "./server/host-response.ts";
export { isRepresentationHeader, type ProblemResponse, problemResponse } from "./server/problem.ts";
export { type Problem, problemOf } from "./server/problem.ts";
export { readInContext } from "./server/read-in-context.ts";
export { createReceiver, type ReceivedRequest, type Receiver, serverRequestOf } from "./server/receive.ts";
export {
  answerAtDeadline,
  classifyErrorOn,
  type ErrorDisposition,
  type HostHandler,
  trackResponse,
} from "./server/response-lifecycle.ts";
export { type ServerSettings } from "./server/server-options.ts";
export { type ActiveResponse, ServerRequest, serverRequestIn } from "./server/server-request.ts";
export { applyStreamLimits } from "./server/stream-limits.ts";
export { ATTR } from "./telemetry/attributes.ts";
export { causes } from "./wire/causes.ts";
export { formatGrpcTimeout, parseGrpcTimeout } from "./wire/dialects.ts";
export { NodeHeaders, removePairs, type RequestHeaders, single, webHeaders } from "./wire/headers.ts";
export { OUTCOME_HEADER } from "./wire/outcome-header.ts";
export { propagateIdentity } from "./wire/propagated-values.ts";
export { requestIdHeader } from "./wire/request-id.ts";
export { messageHeaders } from "./client/message-headers.ts";
export { receiveMessageValues } from "./server/message-values.ts";
export { formatMessageDeadline, MESSAGE_DEADLINE_HEADER, parseMessageDeadline } from "./wire/dialects.ts";
