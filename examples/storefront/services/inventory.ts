import { current } from "@throughline/context";
import { principal, requireScope, txnToken } from "@throughline/identity";
import { guard, requestContext } from "@throughline/koa";
import { sleep } from "@throughline/resilience";
import Koa from "koa";

import { find, workFor } from "../goods.ts";
import { start } from "../service.ts";
import { txnTokens } from "../trust-domain.ts";

const app = new Koa();
app.use(requestContext({ maxTimeout: "5s" }));
app.use(guard(txnToken(txnTokens())));
app.use(guard(requireScope("inventory:read")));
app.use(async (koa) => {
  const query = String(koa.query["q"]);
  await sleep(current(), workFor(query, "inventory"));
  koa.body = {
    stock: Object.fromEntries(find(query).map(({ id }, index) => [id, index + 3])),
    stockFor: principal()?.subject,
  };
});

await start("inventory", app.callback());
