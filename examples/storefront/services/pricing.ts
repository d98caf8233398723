import { getRequestListener } from "@hono/node-server";
import { current } from "@throughline/context";
import { requestContext } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";

import { findProducts, workFor } from "../products.ts";
import { start } from "../service.ts";

async function prices(request: Request): Promise<Response> {
  const query = new URL(request.url).searchParams.get("q") ?? "";
  await sleep(current(), workFor(query, "pricing"));
  return Response.json({
    prices: Object.fromEntries(findProducts(query).map(({ id }, index) => [id, 20 + index * 15])),
  });
}

const handler = requestContext(prices, { maxTimeout: "5s" });

await start("pricing", getRequestListener(handler, { overrideGlobalObjects: false }));
