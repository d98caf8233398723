import http from "node:http";
import http2 from "node:http2";

import { afterFunc, type Context, current } from "@throughline/context";
import { requestContext } from "@throughline/http";
import { afterEach, describe, expect, it } from "vitest";

import { runWithClock } from "./clock.ts";
import { openRequest } from "./leaving-client.ts";
import { assertEndedBy, endedBy } from "./outcome.ts";

const servers: (http.Server | http2.Http2Server)[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A server that answers `/`, and on other paths waits; with the context of each request. */
function serve(protocol: "http/1.1" | "http/2"): {
  server: http.Server | http2.Http2Server;
  received: Promise<Context>;
} {
  const { promise: received, resolve } = Promise.withResolvers<Context>();
  const listener = requestContext((req: http.IncomingMessage, res: http.ServerResponse) => {
    resolve(current());
    if (req.url === "/") req.on("data", (chunk) => res.write(chunk)).on("end", () => res.end(`${req.method} done`));
  });
  const server = protocol === "http/2" ? http2.createServer(listener as never) : http.createServer(listener);
  servers.push(server);
  return { server, received };
}

describe.each(["http/1.1", "http/2"] as const)("over %s", (protocol) => {
  it("receives a response", async () => {
    const { server } = serve(protocol);
    const { response } = await openRequest(server, { protocol, body: "hello, ", headers: { "x-a": "1" } });
    expect(await response).toMatchObject({ status: 200, text: "hello, POST done" });
    const again = await openRequest(server, { protocol });
    expect((await again.response).text).toBe("GET done");
  });

  it("leaves before the response", async () => {
    const { server, received } = serve(protocol);
    const request = await openRequest(server, { protocol, path: "/wait" });
    const ctx = await received;
    expect(endedBy(ctx)).toBeUndefined();
    request.leave();
    await expect(request.response).rejects.toThrow();
    await new Promise<void>((resolve) => afterFunc(ctx, resolve));
    await assertEndedBy(ctx, "client");
  });

  it("leaves at a time on the clock", () =>
    runWithClock(async (clock) => {
      const { server, received } = serve(protocol);
      await openRequest(server, { protocol, path: "/wait", leaveAfter: "50ms" });
      const ctx = await received;
      await clock.advance(49);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(endedBy(ctx)).toBeUndefined();
      await clock.advance(1);
      await new Promise<void>((resolve) => afterFunc(ctx, resolve));
      expect(endedBy(ctx)).toBe("client");
    }));

  it("does not leave after the response", () =>
    runWithClock(async (clock) => {
      const { server } = serve(protocol);
      const { response } = await openRequest(server, { protocol, leaveAfter: "50ms" });
      await response;
      expect(clock.waiting()).toEqual([]);
    }));
});

it("sends to a URL, and fails if nothing listens there", async () => {
  const { response } = await openRequest("http://127.0.0.1:1/");
  await expect(response).rejects.toThrow("ECONNREFUSED");
});

it.each<[unknown, object, string]>([
  [7, {}, "the target must be a server or a URL"],
  ["http://127.0.0.1:1", { protocol: "h3" }, "'protocol' must be one of"],
  ["http://127.0.0.1:1", { url: "/" }, "there is no option 'url'"],
])("rejects %j with %j", async (target, options, message) => {
  await expect(openRequest(target as never, options)).rejects.toThrow(message);
});
