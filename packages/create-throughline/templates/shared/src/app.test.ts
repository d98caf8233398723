import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";

import { start } from "./app.ts";
import { startStock } from "./stock.ts";

const stock = startStock(0);
let url = "";
let stop = async () => {};

before(async () => {
  if (!stock.listening) await once(stock, "listening");
  const service = await start(0, addressOf(stock.address()));
  url = `${addressOf(service.server.address())}/search`;
  stop = service.stop;
});
after(async () => {
  await stop();
  stock.close();
});

test("a search is answered, and the stock service knows how much time is left", async () => {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  const body = JSON.parse(await response.text());
  assert.equal(body.items, 3);
  assert.ok(body.given > 1000 && body.given < 2000);
});

test("a search is answered 504 at the deadline of its caller", async () => {
  const response = await fetch(url, { headers: { "grpc-timeout": "50m" } });
  assert.equal(response.status, 504);
  assert.equal(JSON.parse(await response.text()).setBy, "grpc-timeout header");
});

function addressOf(address = stock.address()) {
  assert.ok(typeof address === "object" && address !== null);
  return `http://localhost:${address.port}`;
}
