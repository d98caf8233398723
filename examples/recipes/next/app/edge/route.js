// A route handler in the edge runtime. It calls the next service with the time that is left.
import { createFetch, requestContext } from "@throughline/fetch";

export const runtime = "edge";

const contextFetch = createFetch();

export const GET = requestContext((request) => contextFetch(request.nextUrl.searchParams.get("next")), {
  maxTimeout: "1s",
});
