export { errorHandler, type ErrorMiddleware } from "./error-handler.ts";
export { guard } from "./guard.ts";
export { type Middleware, requestContext } from "./request-context.ts";
export { type ServerOptions } from "@throughline/http";
