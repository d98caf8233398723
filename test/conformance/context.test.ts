import { connect } from "node:net";

import { background, Canceled, type Context, current, run, withCancel } from "@throughline/context";
import { ClientDisconnected, ResponseSent } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { describe, expect, it, vi } from "vitest";

import { fetchHead, send } from "../support/client.ts";
import { serveOn } from "../support/serving.ts";
import { hosts } from "./hosts.ts";

describe.each(hosts)("$name", (host) => {
  const { serving, answer } = serveOn(host);

  describe("the context", () => {
    it("ends when the client leaves, and says so", async () => {
      let ctx: Context | undefined;
      const ended = Promise.withResolvers<unknown>();
      const url = await serving(async () => {
        ctx = current();
        try {
          await sleep(ctx, "10s");
        } catch (error) {
          ended.resolve(error);
          throw error;
        }
        return "nobody reads this";
      });

      const sent = send(host.protocol, url);
      sent.reply.catch(() => {});
      await vi.waitUntil(() => ctx);
      sent.leave();

      expect(await ended.promise).toBe(ctx!.err());
      expect(ctx!.err()).toBeInstanceOf(Canceled);
      expect(ctx!.cause()).toBeInstanceOf(ClientDisconnected);
    });

    it.runIf(host.protocol === "http/1.1")("ends for all requests of a pipeline whose client leaves", async () => {
      const contexts: Context[] = [];
      const url = new URL(
        await serving(async () => {
          contexts.push(current());
          await sleep(current(), "10s");
          return "nobody reads this";
        }),
      );
      const socket = connect(Number(url.port), url.hostname);
      socket.write(`GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /items/2 HTTP/1.1\r\nHost: x\r\n\r\n`);
      await vi.waitUntil(() => contexts.length === 2);
      socket.destroy();

      await vi.waitUntil(() => contexts.every((ctx) => ctx.cause() instanceof ClientDisconnected));
    });

    it("ends when the answer to a HEAD is out, which has no body", async () => {
      let ctx: Context | undefined;
      const url = await serving(() => {
        ctx = current();
        return "not for HEAD";
      });
      await fetchHead(host.protocol, url);

      await vi.waitUntil(() => ctx?.err());
      expect(ctx?.cause()).toBeInstanceOf(ResponseSent);
    });

    it("ends when the response is out, and says so", async () => {
      const { ctx } = await answer({});

      await vi.waitUntil(() => ctx?.err());
      expect(ctx?.cause()).toBeInstanceOf(ResponseSent);
    });

    it("is each request's own, however many there are at a time", async () => {
      const contexts: Context[] = [];
      const url = await serving(async () => {
        const ctx = current();
        contexts.push(ctx);
        await sleep(ctx, 5);
        return String(current() === ctx);
      });

      const replies = await Promise.all(Array.from({ length: 10 }, () => send(host.protocol, url).reply));

      expect(replies.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => "true"));
      expect(new Set(contexts).size).toBe(10);
    });

    it("does not end with one that the server was started under", async () => {
      const [starting, cancel] = withCancel(background);
      const seen: (string | undefined)[] = [];
      const url = await run(starting, () =>
        serving(() => {
          seen.push(current().err()?.message);
          return "ok";
        }),
      );
      cancel();

      await send(host.protocol, url).reply;
      expect(seen).toEqual([undefined]);
    });

    it("leaves the application's own errors to the application", async () => {
      const { reply } = await answer({ "grpc-timeout": "2S" }, {}, () => Promise.reject(new Error("a bug")));

      expect(reply.status).toBe(500);
      expect(reply.body).toBe("the application's own handler");
    });
  });
});
