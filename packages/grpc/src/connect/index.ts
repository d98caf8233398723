export { type ConnectClientOptions, clientInterceptor } from "./client-interceptor.ts";
export { type ConnectServerOptions, serverInterceptor } from "./server-interceptor.ts";
