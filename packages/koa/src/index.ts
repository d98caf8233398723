export { guard } from "./guard.ts";
export { type KoaContext, type Middleware, requestContext } from "./request-context.ts";
export { type ServerOptions } from "@throughline/http";
