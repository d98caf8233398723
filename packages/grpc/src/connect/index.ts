export { type ConnectClientOptions, clientInterceptor } from "./client-interceptor.ts";
export { type ConnectServerOptions, serverInterceptor } from "./server-interceptor.ts";
export {
  type CallDetails,
  callsOf,
  Forbidden,
  type Guard,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "@throughline/http";
