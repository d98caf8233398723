import { current } from "@throughline/context";
import { requestContext } from "@throughline/koa";
import { sleep } from "@throughline/resilience";
import Koa from "koa";

import { find, workFor } from "../goods.ts";
import { start } from "../service.ts";

const app = new Koa();
app.use(requestContext({ maxTimeout: "5s" }));
app.use(async (koa) => {
  const query = String(koa.query["q"]);
  await sleep(current(), workFor(query, "inventory"));
  koa.body = { stock: Object.fromEntries(find(query).map(({ id }, index) => [id, index + 3])) };
});

await start("inventory", app.callback());
