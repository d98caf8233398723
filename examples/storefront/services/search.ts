import { credentials } from "@grpc/grpc-js";
import Router from "@koa/router";
import { current } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { clientInterceptor } from "@throughline/grpc";
import { requireScope, txnToken } from "@throughline/identity";
import { guard, requestContext } from "@throughline/koa";
import { fanOut } from "@throughline/resilience";
import Koa from "koa";

import { Inventory, type StockReply } from "../inventory-service.ts";
import { addressOf, start } from "../service.ts";
import { OWN_ORIGINS, txnTokens } from "../trust-domain.ts";

const fetch = createFetch({ origins: OWN_ORIGINS });
const inventory = new Inventory(addressOf("inventory", "grpc"), credentials.createInsecure(), {
  interceptors: [clientInterceptor({ origins: OWN_ORIGINS })],
});

type Source = (query: string) => Promise<object>;

const byHttp =
  (url: string): Source =>
  async (query) => {
    const response = await fetch(`${url}/?${new URLSearchParams({ q: query })}`);
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return (await response.json()) as object;
  };

const byGrpc: Source = (query) =>
  new Promise((resolve, reject) => {
    inventory["Stock"]!({ query }, (error: Error | null, reply: StockReply) =>
      error === null ? resolve(reply) : reject(error),
    );
  });

const sources: readonly { readonly name: string; readonly load: Source }[] = [
  { name: "catalog", load: byHttp(addressOf("catalog")) },
  { name: "inventory", load: byGrpc },
  { name: "pricing", load: byHttp(addressOf("pricing")) },
  { name: "reviews", load: byHttp(addressOf("reviews")) },
];

const router = new Router();
router.get("/search", async (koa) => {
  const query = String(koa.query["q"]);
  const { results, complete } = await fanOut(current(), sources, (_ctx, { load }) => load(query), {
    until: "deadline",
    margin: "100ms", // Enough for the answer to be in time on a busy machine.
  });

  koa.body = {
    complete,
    missing: sources.filter((_, index) => results[index]!.status === "rejected").map(({ name }) => name),
    ...Object.assign({}, ...results.map((result) => (result.status === "fulfilled" ? result.value : undefined))),
  };
});

const app = new Koa();
app.use(requestContext({ maxTimeout: "5s" }));
app.use(guard(txnToken(txnTokens())));
app.use(guard(requireScope("search")));
app.use(router.routes());

await start("search", app.callback());
