import { once } from "node:events";
import http, { type Server } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo } from "node:net";

import { getRequestListener } from "@hono/node-server";
import { requestContext } from "@throughline/express";
import express from "express";
import Koa from "koa";
import { generate } from "selfsigned";
import { afterEach, describe, expect, it, vi } from "vitest";

import { chaosHandler, chaosKoa, chaosMiddleware, type Chaotic } from "./chaos-server.ts";
import { runWithClock } from "./clock.ts";
import type { FaultOptions } from "./faults.ts";
import { openRequest, type OpenRequestOptions } from "./leaving-client.ts";

interface Served {
  readonly server: Server;
  readonly chaotic: Chaotic;
  /** How many requests the handler has got. */
  handled(): number;
}

let opened: Server[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const server of opened) {
    server.closeAllConnections?.();
    server.close();
  }
  opened = [];
});

function served(server: Server, chaotic: Chaotic, handled: () => number): Served {
  opened.push(server);
  return { server, chaotic, handled };
}

function onExpress(options: FaultOptions): Served {
  const chaotic = chaosMiddleware(options);
  let handled = 0;
  const app = express()
    .use(chaotic)
    .use((_req, res) => void ((handled += 1), res.send("in stock")));
  return served(http.createServer(app), chaotic, () => handled);
}

function onKoa(options: FaultOptions): Served {
  const chaotic = chaosKoa(options);
  let handled = 0;
  const app = new Koa().use(chaotic).use((koa) => void ((handled += 1), (koa.body = "in stock")));
  return served(http.createServer(app.callback()), chaotic, () => handled);
}

function onHttp2(options: FaultOptions): Served {
  const chaotic = chaosMiddleware(options);
  let handled = 0;
  const server = http2.createServer((req, res) => {
    chaotic(req, res, () => void ((handled += 1), res.end("in stock")));
  });
  return served(server as unknown as Server, chaotic, () => handled);
}

function onFetch(options: FaultOptions): Served {
  // @hono/node-server prints bodies that fail.
  vi.spyOn(console, "error").mockImplementation(() => {});
  let handled = 0;
  const chaotic = chaosHandler((_request: Request) => ((handled += 1), new Response("in stock")), options);
  return served(http.createServer(getRequestListener(chaotic)), chaotic, () => handled);
}

const hosts: [string, (options: FaultOptions) => Served, OpenRequestOptions][] = [
  ["Express", onExpress, {}],
  ["Koa", onKoa, {}],
  ["a fetch handler", onFetch, {}],
  ["node:http2", onHttp2, { protocol: "http/2" }],
];

describe.each(hosts)("on %s", (_name, serve, client) => {
  it("a request without a fault reaches the handler", async () => {
    const { server, chaotic, handled } = serve({});
    const { response } = await openRequest(server, client);
    expect(await response).toMatchObject({ status: 200, text: "in stock" });
    expect([chaotic.faults, handled()]).toEqual([["none"], 1]);
  });

  it("a reset ends the connection without a complete response", async () => {
    const { server, chaotic, handled } = serve({ reset: 1 });
    const { response } = await openRequest(server, client);
    await expect(response).rejects.toThrow(/ECONNRESET|socket hang up|aborted|NGHTTP2_INTERNAL_ERROR/);
    expect([chaotic.faults, handled()]).toEqual([["reset"], 0]);
  });

  it("unavailable is answered 503", async () => {
    const { server, handled } = serve({ unavailable: 1 });
    const { response } = await openRequest(server, client);
    expect(await response).toMatchObject({ status: 503, text: "unavailable" });
    expect(handled()).toBe(0);
  });

  it("a stalled request gets no response until its client leaves", async () => {
    const { server, chaotic, handled } = serve({ stall: 1 });
    const { response, leave } = await openRequest(server, client);
    await expect.poll(() => chaotic.faults).toEqual(["stall"]);
    leave();
    await expect(response).rejects.toThrow("the client has left");
    expect(handled()).toBe(0);
  });

  it("the latency passes on the clock, and no handler runs if the client leaves in it", () =>
    runWithClock(async (clock) => {
      const { server, chaotic, handled } = serve({ latency: "1h", seed: 3 });
      const first = await openRequest(server, client);
      await expect.poll(() => clock.waiting().length).toBe(1);
      const [{ in: ms } = { in: 0 }] = clock.waiting();
      await clock.advance(ms - 1);
      expect(handled()).toBe(0);
      await clock.advance(1);
      expect(await first.response).toMatchObject({ status: 200 });

      const second = await openRequest(server, client);
      await expect.poll(() => clock.waiting().length).toBe(1);
      second.leave();
      await expect.poll(() => clock.waiting()).toEqual([]);
      expect([chaotic.faults, handled()]).toEqual([["none", "none"], 1]);
    }));

  it("all requests in a storm are answered 503, with the seconds until its end", () =>
    runWithClock(async (clock) => {
      const { server } = serve({ storm: { every: "1m", lasts: "5s" } });
      const answer = async (): Promise<unknown[]> => {
        const { status, headers } = await (await openRequest(server, client)).response;
        return [status, headers["retry-after"]];
      };
      expect(await answer()).toEqual([200, undefined]);
      await clock.advance("54999ms");
      expect(await answer()).toEqual([200, undefined]);
      await clock.advance("1ms");
      expect(await answer()).toEqual([503, "5"]);
      await clock.advance("4500ms");
      expect(await answer()).toEqual([503, "1"]);
      await clock.advance("500ms");
      expect(await answer()).toEqual([200, undefined]);
    }));
});

it("a reset closes a TLS connection, which cannot be reset", async () => {
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }]);
  const chaotic = chaosMiddleware({ reset: 1 });
  const server = https.createServer({ key, cert }, (req, res) => chaotic(req, res, () => {}));
  served(server as unknown as Server, chaotic, () => 0);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const request = https.get({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await expect(once(request, "response")).rejects.toMatchObject({ code: "ECONNRESET" });
});

it("a stalled request is answered 504 at its deadline", () =>
  runWithClock(async (clock) => {
    const app = express().use(requestContext({ maxTimeout: "2s" }), chaosMiddleware({ stall: 1 }));
    const { server } = served(http.createServer(app), chaosMiddleware(), () => 0);
    const { response } = await openRequest(server);
    await expect.poll(() => clock.waiting().length).toBe(1);
    await clock.advance("2s");
    expect((await response).status).toBe(504);
  }));

it("a request whose client has left before the middleware gets no fault", async () => {
  const chaotic = chaosMiddleware();
  let isNext = false;
  const server = http.createServer(async (req, res) => {
    await once(res, "close");
    chaotic(req, res, () => void (isNext = true));
  });
  served(server, chaotic, () => 0);
  const { leave } = await openRequest(server);
  await once(server, "request");
  leave();
  await expect.poll(() => chaotic.faults.length).toBe(1);
  await new Promise(setImmediate);
  expect(isNext).toBe(false);
});

it("the faults are those of the seed, and the same for fetch and for servers", async () => {
  const options = { seed: 7, reset: 0.3, unavailable: 0.3 };
  const { server, chaotic } = onExpress(options);
  const { server: other, chaotic: others } = onFetch(options);
  for (let call = 0; call < 12; call++) {
    await (await openRequest(server)).response.catch(() => {});
    await (await openRequest(other)).response.catch(() => {});
  }
  expect(new Set(chaotic.faults)).toEqual(new Set(["none", "reset", "unavailable"]));
  expect(others.faults).toEqual(chaotic.faults);
});

it.each([
  [{ reset: 2 }, "'reset' must be from 0 to 1; received number 2"],
  [{ storm: { every: "1s", lasts: "2s" } }, "'storm.lasts' must be at most 'storm.every'; received string \"2s\""],
  [{ storm: { every: "1s" } }, "'storm.lasts' must be"],
  [{ exhaustAt: 1 }, "there is no option 'exhaustAt'"],
])("rejects %j when it is created", (options, message) => {
  expect(() => chaosMiddleware(options as never)).toThrow(`Cannot create middleware with faults: ${message}`);
  expect(() => chaosKoa(options as never)).toThrow(message);
  expect(() => chaosHandler(() => new Response(), options as never)).toThrow(message);
});
