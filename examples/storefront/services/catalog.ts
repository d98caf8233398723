import { current } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { sleep } from "@throughline/resilience";
import express from "express";

import { findProducts, workFor } from "../products.ts";
import { start } from "../service.ts";

const app = express();
app.use(requestContext({ maxTimeout: "5s" }));
app.get("/", async (req, res) => {
  const query = String(req.query["q"]);
  await sleep(current(), workFor(query, "catalog"));
  res.json({ products: findProducts(query) });
});
app.use(errorHandler());

await start("catalog", app);
