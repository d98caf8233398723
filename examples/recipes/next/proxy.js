// proxy.ts of Next.js 16; in Next.js 15, middleware.ts, which exports `middleware`. The deadline of a request that arrives
// without one begins here: the header tells the route handlers. JavaScript, because this repository does not install Next.
import { current } from "@throughline/context";
import { outboundHeaders, requestContext } from "@throughline/fetch";
import { NextResponse } from "next/server";

export const proxy = requestContext(
  (request) => {
    const headers = new Headers(request.headers);
    for (const [name, value] of Object.entries(outboundHeaders(current(), request.url))) headers.set(name, value);
    return NextResponse.next({ request: { headers } });
  },
  { maxTimeout: "2s" },
);
