export { createFetch, type FetchOptions } from "./create-fetch.ts";
export { answerError } from "./answer-error.ts";
export { type FetchHandler, requestContext } from "./request-context.ts";
export { type ServerOptions } from "@throughline/http";
