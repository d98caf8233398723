/** OpenTelemetry's names for calls of procedures. They are not among its stable ones, which alone the package of names promises to keep. */
export const ATTR_RPC_SYSTEM_NAME = "rpc.system.name";
export const ATTR_RPC_METHOD = "rpc.method";
export const ATTR_RPC_STATUS_CODE = "rpc.response.status_code";
export const METRIC_RPC_SERVER_CALL_DURATION = "rpc.server.call.duration";
export const METRIC_RPC_CLIENT_CALL_DURATION = "rpc.client.call.duration";
