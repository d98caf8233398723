import { current } from "@throughline/context";
import { errorHandler, guard, requestContext } from "@throughline/express";
import { createFetch } from "@throughline/fetch";
import { traceId } from "@throughline/http";
import { bearer, exchangeToken, principal } from "@throughline/identity";
import express from "express";

import { openOrders } from "../orders.ts";
import { PRODUCTS } from "../products.ts";
import { addressOf, start } from "../service.ts";
import { verifyToken } from "../token.ts";
import { OWN_ORIGINS, txnTokens } from "../trust-domain.ts";

const fetch = createFetch({ origins: OWN_ORIGINS });
const search = addressOf("search");
const orders = await openOrders(process.env["NATS_URL"]);

async function page(query: string): Promise<object> {
  const response = await fetch(`${search}/search?q=${encodeURIComponent(query)}`);
  if (!response.ok) throw new Error(`search answered ${response.status}`);
  return { ...greeting(), ...((await response.json()) as object) };
}

/** Reads the principal and the trace id of the request, three calls below the handler, without a parameter. */
function greeting(): object {
  return { for: principal()?.subject, traceId: traceId() };
}

const app = express();
app.disable("x-powered-by");
app.use(requestContext({ maxTimeout: "5s", defaultTimeout: "1s", minBudget: "10ms" }));
app.use(guard(bearer(verifyToken)));
// The visitor's token ends here: the services receive a Txn-Token, which is valid only between them.
const endpoint = `${addressOf("tokens")}/token`;
app.use(guard(exchangeToken({ ...txnTokens(), endpoint, scope: "search inventory:read", fetch })));
app.get("/search", async (req, res) => {
  res.json(await page(String(req.query["q"] ?? "")));
});
app.post("/orders", async (req, res) => {
  const product = PRODUCTS.find(({ id }) => id === req.query["product"]);
  if (product === undefined) res.sendStatus(404);
  else {
    await orders.place(current(), { product: product.id, customer: principal()!.subject });
    res.status(202).json(greeting());
  }
});
app.use(errorHandler());

await start("gateway", app, { close: () => orders.close() });
