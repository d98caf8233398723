export { clientInterceptor, type GrpcClientOptions } from "./client-interceptor.ts";
export { type GrpcServerOptions, serverInterceptor } from "./server-interceptor.ts";
export { type CallStatus, statusOf } from "./status.ts";
