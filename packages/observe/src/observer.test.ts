import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

import { openRequest } from "@throughline/testing";
import { afterEach, expect, it, vi } from "vitest";

import { Observer } from "./observer.ts";
import { formatReport } from "./report.ts";

const servers: http.Server[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listen(listener: http.RequestListener): Promise<{ server: http.Server; url: string }> {
  const server = http.createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

it("gives up a handler that starts nothing for 30 seconds after its client has left", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  using observer = new Observer();
  let response!: http.ServerResponse;
  const { server } = await listen((_req, res) => (response = res));
  const { leave } = await openRequest(server, { path: "/orders/17?full" });
  await once(server, "request");
  leave();
  await vi.waitUntil(() => observer.report().left === 1);

  await vi.advanceTimersByTimeAsync(30_000);
  await new Promise((resolve) => setImmediate(resolve));
  for (const from = performance.now(); performance.now() < from + 5;);
  response.end();
  const [route] = observer.report().routes;
  expect(route).toMatchObject({ route: "GET /orders/:id", requests: 1, left: 1, workAfterMs: 0 });
});

it("ignores the requests of a server that it is to ignore", async () => {
  using observer = new Observer();
  const { server, url } = await listen((_req, res) => void res.end());
  observer.ignore(server);
  await (await fetch(url)).text();
  expect(observer.report().requests).toBe(0);
});

it("restores what it has patched", async () => {
  const before = [http.Server.prototype.emit, http.ServerResponse.prototype.end];
  const observer = new Observer();
  expect(http.ServerResponse.prototype.end).not.toBe(before[1]);
  observer[Symbol.dispose]();
  expect([http.Server.prototype.emit, http.ServerResponse.prototype.end]).toEqual(before);
  expect(Object.hasOwn(http.Server.prototype, "emit")).toBe(false);

  const { url } = await listen((_req, res) => void res.end());
  await (await fetch(url)).text();
  expect(observer.report().requests).toBe(0);
});

it("counts routes beyond 500 together", async () => {
  using observer = new Observer();
  const { url } = await listen((_req, res) => void res.end());
  for (let index = 0; index < 503; index++) await (await fetch(`${url}/path-${index}`)).text();
  const { routes } = observer.report();
  expect(routes).toHaveLength(501);
  expect(routes.find(({ route }) => route === "(other routes)")).toMatchObject({ requests: 3 });
});

it("prints no table without a request that would have ended", async () => {
  using observer = new Observer({ limit: "1h" });
  const { url } = await listen((_req, res) => void res.end());
  await (await fetch(url)).text();
  await vi.waitUntil(() => observer.report().requests === 1);
  expect(formatReport(observer.report()).split("\n").slice(1)).toEqual([
    "  would have been ended by their deadline: 0",
    "  whose client left before the response:   0",
    "  work of handlers after that:             0.0 s",
    "  calls that were started after that:      0",
    "  time of calls after that:                0.0 s",
  ]);
});
