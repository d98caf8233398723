import Router from "@koa/router";
import { current } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { requireScope, txnToken } from "@throughline/identity";
import { guard, requestContext } from "@throughline/koa";
import { fanOut } from "@throughline/resilience";
import Koa from "koa";

import { addressOf, start } from "../service.ts";
import { OWN_ORIGINS, txnTokens } from "../trust-domain.ts";

const fetch = createFetch({ origins: OWN_ORIGINS });
const sources = ["catalog", "inventory", "pricing", "reviews"].map((name) => ({ name, url: addressOf(name) }));

const router = new Router();
router.get("/search", async (koa) => {
  const query = koa.querystring;
  const ask = async ({ url }: { url: string }): Promise<object> => {
    const response = await fetch(`${url}/?${query}`);
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return (await response.json()) as object;
  };
  const { results, complete } = await fanOut(current(), sources, (_ctx, source) => ask(source), {
    until: "deadline",
    margin: "25ms",
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
