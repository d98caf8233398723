import { once } from "node:events";
import http from "node:http";

import { type Context } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { ClientDisconnected, drain } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import express, { type RequestHandler } from "express";
import { afterEach, describe, expect, it, vi } from "vitest";

import { type Events, eventStream, streamContext } from "../../examples/recipes/server-sent-events.ts";

const servers: http.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(
  events: Events,
  closing = new AbortController(),
  context: RequestHandler = streamContext,
): Promise<{ url: string; server: http.Server }> {
  const app = express();
  app.get("/", context, eventStream(events, closing.signal));
  app.use(errorHandler());
  const server = app.listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/`, server };
}

/** An open stream, as a browser reads it. */
async function open(url: string, lastId?: number): Promise<{ res: http.IncomingMessage; text: () => string }> {
  const req = http.get(url, { headers: lastId === undefined ? {} : { "last-event-id": lastId } });
  const [res] = (await once(req, "response")) as [http.IncomingMessage];
  res.on("error", () => {});
  let received = "";
  res.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
  return { res, text: () => received };
}

/** Three events, then none until the context ends. */
function threeEvents(onContext: (ctx: Context) => void = () => {}): Events {
  return async function* (ctx, lastId) {
    onContext(ctx);
    for (let id = lastId + 1; id <= 3; id += 1) yield { id, data: `event ${id}\nof three` };
    await sleep(ctx, "1h");
  };
}

describe("a stream of server-sent events", () => {
  it("sends a client that connects again what it has missed", async () => {
    const { url } = await serve(threeEvents());
    const first = await open(url);
    await vi.waitUntil(() => first.text().includes("id: 3"), { timeout: 5000 });
    expect(first.res.headers["content-type"]).toMatch(/^text\/event-stream/);
    expect(first.text()).toBe(["1", "2", "3"].map((id) => `id: ${id}\ndata: "event ${id}\\nof three"\n\n`).join(""));
    first.res.destroy();

    const again = await open(url, 2);
    await vi.waitUntil(() => again.text() !== "", { timeout: 5000 });
    expect(again.text()).toBe('id: 3\ndata: "event 3\\nof three"\n\n');
    again.res.destroy();
  });

  it("ends the context of the events when the client leaves", async () => {
    const contexts: Context[] = [];
    const { url } = await serve(threeEvents((ctx) => void contexts.push(ctx)));
    const { res } = await open(url);
    await vi.waitUntil(() => contexts.length > 0, { timeout: 5000 });
    res.destroy();
    await vi.waitUntil(() => contexts[0]!.err() !== undefined, { timeout: 5000 });
    expect(contexts[0]!.cause()).toBeInstanceOf(ClientDisconnected);
  });

  it("ends at a shutdown, completely, so that the drain need not wait for its client", async () => {
    const closing = new AbortController();
    const { url, server } = await serve(threeEvents(), closing);
    const { res, text } = await open(url);
    await vi.waitUntil(() => text().includes("id: 3"), { timeout: 5000 });
    const from = performance.now();
    closing.abort();
    await Promise.all([drain(server, { shutdownTimeout: "30s" }), once(res, "end")]);
    expect(res.complete).toBe(true);
    expect(performance.now() - from).toBeLessThan(10_000);
  });

  it("asks for no more events while its client does not read, and is cut then", async () => {
    let asked = 0;
    let ended: unknown;
    const endless: Events = async function* (ctx) {
      try {
        while (asked < 5000) yield { id: (asked += 1), data: "x".repeat(100_000) };
      } finally {
        ended = ctx.err();
      }
    };
    const { url } = await serve(endless, undefined, requestContext({ idleTimeout: 300 }));
    const req = http.get(url);
    const [res] = (await once(req, "response")) as [http.IncomingMessage];
    res.on("error", () => {}).pause();
    await vi.waitUntil(() => ended !== undefined, { timeout: 10_000 });
    // Some megabytes fit into the buffers of the sockets.
    expect(asked).toBeLessThan(1000);
    res.destroy();
  });

  it("that fails is cut, so that its client connects again", async () => {
    const failing: Events = async function* () {
      yield { id: 1, data: 1 };
      throw new Error("a bug");
    };
    const { url } = await serve(failing);
    const { res } = await open(url);
    await new Promise((resolve) => res.once("close", resolve));
    expect(res.complete).toBe(false);
  });
});
