// OpenTelemetry's names. They are constants of this package because @opentelemetry/semantic-conventions has a size of
// 9.7 MB; the test compares them.

/** Address of the client: of the connection, as proxies may forge `Forwarded`. */
export const ATTR_CLIENT_ADDRESS = "client.address";
/** `DEADLINE_EXCEEDED`, the name of the error, or the status. */
export const ATTR_ERROR_TYPE = "error.type";
/** Method of the request, or `_OTHER` for an unknown one. */
export const ATTR_HTTP_REQUEST_METHOD = "http.request.method";
/** How often a call was sent before, by a retry or a redirect. */
export const ATTR_HTTP_REQUEST_RESEND_COUNT = "http.request.resend_count";
/** Status of the response. */
export const ATTR_HTTP_RESPONSE_STATUS_CODE = "http.response.status_code";
/** Route that the framework matched: `/items/:id`. */
export const ATTR_HTTP_ROUTE = "http.route";
/** Version of HTTP: `1.1`, `2`. */
export const ATTR_NETWORK_PROTOCOL_VERSION = "network.protocol.version";
/** Host name of the service. */
export const ATTR_SERVER_ADDRESS = "server.address";
/** Port of the service. */
export const ATTR_SERVER_PORT = "server.port";
/** URL of a call, without credentials and secret parameters. */
export const ATTR_URL_FULL = "url.full";
/** Path of the request. */
export const ATTR_URL_PATH = "url.path";
/** Query of the request; the values of secret parameters are `REDACTED`. */
export const ATTR_URL_QUERY = "url.query";
/** `http` or `https`. */
export const ATTR_URL_SCHEME = "url.scheme";
/** Value of the header `user-agent`. */
export const ATTR_USER_AGENT_ORIGINAL = "user_agent.original";

export const METRIC_HTTP_CLIENT_REQUEST_DURATION = "http.client.request.duration";
export const METRIC_HTTP_SERVER_REQUEST_DURATION = "http.server.request.duration";

// Those of RPCs are not marked stable.

/** The RPC system: `grpc`, `connectrpc`. */
export const ATTR_RPC_SYSTEM_NAME = "rpc.system.name";
/** Service and method: `shop.Inventory/Reserve`. */
export const ATTR_RPC_METHOD = "rpc.method";
/** Status code of the RPC: `OK`, `DEADLINE_EXCEEDED`. */
export const ATTR_RPC_STATUS_CODE = "rpc.response.status_code";
export const METRIC_RPC_SERVER_CALL_DURATION = "rpc.server.call.duration";
export const METRIC_RPC_CLIENT_CALL_DURATION = "rpc.client.call.duration";

/** A request header that `captureHeaders` lists. */
export const ATTR_HTTP_REQUEST_HEADER = (name: string): string => `http.request.header.${name}`;
