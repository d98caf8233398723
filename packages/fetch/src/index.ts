export { answerError } from "./answer-error.ts";
export { contextAdapter } from "./axios-adapter.ts";
export { type CallInit } from "./call.ts";
export { type ContextFetch, createFetch, type FetchOptions } from "./create-fetch.ts";
export { guard } from "./guard.ts";
export { type FetchHandler, requestContext } from "./request-context.ts";
export { type FetchRetry } from "./retrying.ts";
export { contextInterceptor } from "./undici-interceptor.ts";
export { type ServerOptions } from "@throughline/http";
