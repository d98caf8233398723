import {
  background,
  type Context,
  createKey,
  current,
  run,
  withCancel,
  withoutCancel,
  withValue,
} from "@throughline/context";
import { ResponseSent } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { describe, expect, it, vi } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { send } from "../support/http-client.ts";

describe.each(hosts)("$name", (host) => {
  const { serving, servingWith, answer } = serveOn(host);

  describe("the context", () => {
    it("ends when the response to a HEAD request is sent", async () => {
      let ctx: Context | undefined;
      const url = await serving(() => {
        ctx = current();
        return "not for HEAD";
      });
      await send(host.protocol, url, {}, { method: "HEAD" }).reply;

      await vi.waitUntil(() => ctx?.err());
      expect(ctx?.cause()).toBeInstanceOf(ResponseSent);
    });

    it("ends when the response is sent, with ResponseSent as its cause", async () => {
      const { ctx } = await answer({});

      await vi.waitUntil(() => ctx?.err());
      expect(ctx?.cause()).toBeInstanceOf(ResponseSent);
    });

    it.runIf(!host.isFetch)(
      "that ended with the response causes no application error if its handler throws it later",
      async () => {
        const errors: unknown[] = [];
        const failed = Promise.withResolvers<void>();
        const url = await servingWith(
          async ({ node: { res } }) => {
            const ctx = current();
            if ("respond" in res) (res as { respond(): void }).respond();
            res.end("ok");
            await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
            failed.resolve();
            throw ctx.err()!;
          },
          { onError: (error) => void errors.push(error) },
        );
        expect((await send(host.protocol, url).reply).body).toBe("ok");
        await failed.promise;
        await new Promise((resolve) => setTimeout(resolve, 10));

        expect(errors).toEqual([]);
      },
    );

    it("without cancellation keeps its values after the request and has no deadline", async () => {
      const key = createKey<string>("tenant");
      let background: Context | undefined;
      const { ctx } = await answer({ "grpc-timeout": "2S" }, {}, () => {
        background = withoutCancel(withValue(current(), key, "acme"));
        return "ok";
      });
      await vi.waitUntil(() => ctx?.err());
      expect([background?.err(), background?.remaining(), background?.value(key)]).toEqual([
        undefined,
        Infinity,
        "acme",
      ]);
    });

    it("is separate for each concurrent request", async () => {
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

    it("does not end with the context in which the server was started", async () => {
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

    it("leaves errors of the application to its own error handler", async () => {
      const { reply } = await answer({ "grpc-timeout": "2S" }, {}, () => Promise.reject(new Error("a bug")));

      expect(reply.status).toBe(500);
      expect(reply.body).toBe("the application's own handler");
    });
  });
});
