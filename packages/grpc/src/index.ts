export { clientInterceptor, type GrpcClientOptions } from "./client-interceptor.ts";
export { drain } from "./drain.ts";
export { type GrpcServerOptions, serverInterceptor } from "./server-interceptor.ts";
export { statusOf } from "./status-object.ts";
export {
  type CallDetails,
  callsOf,
  Forbidden,
  type Guard,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "@throughline/http";
