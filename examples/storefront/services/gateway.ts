import { current, run } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { createFetch } from "@throughline/fetch";
import { traceId } from "@throughline/http";
import { principal, withPrincipal } from "@throughline/identity";
import express, { type RequestHandler } from "express";

import { addressOf, start } from "../service.ts";
import { verify } from "../token.ts";

const fetch = createFetch();
const search = addressOf("search");

const authenticate: RequestHandler = async (req, res, next) => {
  const user = await verify(req.headers.authorization);
  if (user !== undefined) return run(withPrincipal(current(), user), next);
  res
    .status(401)
    .set("www-authenticate", "Bearer")
    .type("application/problem+json")
    .send({ title: "Unauthorized", status: 401 });
};

async function page(query: string): Promise<object> {
  const response = await fetch(`${search}/search?q=${encodeURIComponent(query)}`);
  if (!response.ok) throw new Error(`search answered ${response.status}`);
  return { ...greeting(), ...((await response.json()) as object) };
}

/** Three calls below the handler, and nobody had to hand anything down. */
function greeting(): object {
  return { for: principal()?.subject, traceId: traceId() };
}

const app = express();
app.disable("x-powered-by");
app.use(requestContext({ maxTimeout: "5s", defaultTimeout: "1s", minBudget: "10ms" }));
app.use(authenticate);
app.get("/search", async (req, res) => {
  res.json(await page(String(req.query["q"] ?? "")));
});
app.use(errorHandler());

await start("gateway", app);
