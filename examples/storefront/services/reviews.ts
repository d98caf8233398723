import { getRequestListener } from "@hono/node-server";
import { current } from "@throughline/context";
import { requestContext } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";

import { findProducts, workFor } from "../products.ts";
import { start } from "../service.ts";

/** Takes a random time. */
async function reviews(request: Request): Promise<Response> {
  const query = new URL(request.url).searchParams.get("q") ?? "";
  await sleep(current(), workFor(query, "reviews"));
  return Response.json({ stars: Object.fromEntries(findProducts(query).map(({ id }) => [id, 4.5])) });
}

const handler = requestContext(reviews, { maxTimeout: "5s" });

await start("reviews", getRequestListener(handler, { overrideGlobalObjects: false }));
