import { once } from "node:events";
import type { Socket } from "node:net";

import { Canceled, type Context, current } from "@throughline/context";
import { ClientDisconnected, ResponseSent } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { describe, expect, it, vi } from "vitest";

import { type Handler, hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { type Sent, dial, send } from "../support/http-client.ts";

describe.each(hosts)("$name, whose client disconnects", (host) => {
  const { serving, servingWith } = serveOn(host);
  const isHttp1 = host.protocol === "http/1.1";

  /** A handler that waits until its context ends, and the contexts of its requests. */
  function waiting(before: Handler = () => ""): { handler: Handler; contexts: Context[] } {
    const contexts: Context[] = [];
    const handler: Handler = async (received) => {
      await before(received);
      contexts.push(current());
      await sleep(current(), "10s");
      return "never received";
    };
    return { handler, contexts };
  }

  async function expectDisconnected(contexts: readonly Context[], count = 1): Promise<void> {
    await vi.waitUntil(() => contexts.length === count && contexts.every((ctx) => ctx.err()));
    for (const ctx of contexts) {
      expect(ctx.err()).toBeInstanceOf(Canceled);
      expect(ctx.cause()).toBeInstanceOf(ClientDisconnected);
    }
  }

  it.each<[string, (sent: Sent) => void, Handler | undefined]>([
    ["without a body", () => {}, undefined],
    ["after a body that the handler read", ({ body }) => body.end("all of it"), ({ text }) => text()],
    ["after a body that the handler did not read", ({ body }) => body.end("all of it"), undefined],
    ["during its body", ({ body }) => body.write("half of it"), undefined],
  ])("%s: the context ends, and waiting functions fail with its error", async (_when, sendBody, before) => {
    const { handler, contexts } = waiting(before);
    const failed = Promise.withResolvers<unknown>();
    const url = await serving(async (received) => {
      try {
        return await handler(received);
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
    });
    const sent = send(host.protocol, url, {}, { method: "POST" });
    sent.reply.catch(() => {});
    sent.body.on("error", () => {});
    sendBody(sent);
    await vi.waitUntil(() => contexts.length === 1);
    sent.leave();

    await expectDisconnected(contexts);
    expect(await failed.promise).toBe(contexts[0]!.err());
  });

  it.each([
    ["at once", () => Promise.resolve()],
    ["later", (later: Promise<unknown>) => later],
  ])("the application receives no error if its handler throws the context's error %s", async (_when, until) => {
    const [running, later] = [Promise.withResolvers<Context>(), Promise.withResolvers<void>()];
    const errors: unknown[] = [];
    const url = await servingWith(
      async () => {
        const ctx = current();
        running.resolve(ctx);
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        await until(later.promise);
        throw ctx.err()!;
      },
      { onError: (error) => void errors.push(error) },
    );
    const sent = send(host.protocol, url);
    sent.reply.catch(() => {});
    const ctx = await running.promise;
    sent.leave();
    await expectDisconnected([ctx]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    later.resolve();
    await new Promise((resolve) => setTimeout(resolve, 10));

    expect(errors).toEqual([]);
  });

  it("during a response that it does not read: the context ends", async () => {
    let ctx: Context | undefined;
    const url = await serving(() => {
      ctx = current();
      return "x".repeat(64 * 1024 * 1024);
    });
    const sent = send(host.protocol, url, {}, { isPaused: true });
    sent.reply.catch(() => {});
    await vi.waitUntil(() => ctx);
    await new Promise((resolve) => setTimeout(resolve, 20));
    sent.leave();

    await vi.waitUntil(() => ctx!.err());
  });

  it.runIf(isHttp1).each<[string, (socket: Socket) => void]>([
    ["by closing its side of the connection", (socket) => socket.end()],
    // TLS sockets cannot send a reset.
    ["by a reset", (socket) => (host.isSecure ? socket.destroy() : socket.resetAndDestroy())],
    ["by closing the connection", (socket) => socket.destroy()],
  ])("%s: the context ends", async (_how, leave) => {
    const { handler, contexts } = waiting();
    const socket = dial(await serving(handler));
    socket.write("GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    await vi.waitUntil(() => contexts.length === 1);
    leave(socket);

    await expectDisconnected(contexts);
  });

  it.runIf(isHttp1)("in a pipeline: the contexts of all its requests end", async () => {
    const { handler, contexts } = waiting();
    const socket = dial(await serving(handler));
    socket.write("GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /items/2 HTTP/1.1\r\nHost: x\r\n\r\n");
    await vi.waitUntil(() => contexts.length === 2);
    socket.destroy();

    await expectDisconnected(contexts, 2);
  });

  it.runIf(isHttp1)(
    "between the requests of one connection: answered requests keep ResponseSent as their cause",
    async () => {
      const contexts: Context[] = [];
      const socket = dial(
        await serving(() => {
          contexts.push(current());
          return "ok";
        }),
      );
      for (const id of [1, 2]) {
        socket.write(`GET /items/${id} HTTP/1.1\r\nHost: x\r\n\r\n`);
        await once(socket, "data");
        await vi.waitUntil(() => contexts.length === id && contexts[id - 1]!.err());
      }
      socket.destroy();

      await once(socket, "close");
      expect(contexts.map((ctx) => ctx.cause())).toEqual([expect.any(ResponseSent), expect.any(ResponseSent)]);
    },
  );
});
