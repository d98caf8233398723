import { Readable } from "node:stream";

import { current, DeadlineExceeded } from "@throughline/context";
import type { DeadlineDialect } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { describe, expect, it, vi } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { send } from "../support/http-client.ts";

/** A body that never ends. */
function endless(): Readable {
  return Readable.from(
    (async function* () {
      for (;;) {
        yield Buffer.from("more ");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })(),
  );
}

function explode(): never {
  throw new Error("the budget is unreadable");
}

describe.each(hosts)("$name", (host) => {
  const { serving, servingWith, answer } = serveOn(host);

  describe("the deadline", () => {
    it("is the one that the caller sent", async () => {
      const { reply, remaining } = await answer({ "grpc-timeout": "2S" });

      expect(reply.body).toBe("ok");
      expect(remaining).toBeGreaterThan(1500);
      expect(remaining).toBeLessThanOrEqual(2000);
    });

    it("is the shortest of all deadline headers", async () => {
      const { remaining } = await answer({
        "grpc-timeout": "9S",
        "connect-timeout-ms": "3000",
        "x-envoy-expected-rq-timeout-ms": "6000",
      });

      expect(remaining).toBeGreaterThan(2500);
      expect(remaining).toBeLessThanOrEqual(3000);
    });

    it("is limited by maxTimeout, whatever the caller sends", async () => {
      const { remaining } = await answer({ "grpc-timeout": "99999999H" }, { maxTimeout: "2s" });

      expect(remaining).toBeLessThanOrEqual(2000);
    });

    it("is defaultTimeout if the caller sends none", async () => {
      const { remaining } = await answer({}, { defaultTimeout: "2s", maxTimeout: "1m" });

      expect(remaining).toBeGreaterThan(1500);
      expect(remaining).toBeLessThanOrEqual(2000);
    });

    it("is absent if neither caller nor server sets one", async () => {
      expect((await answer({})).remaining).toBe(Infinity);
    });

    it("that has passed on arrival is answered 504 without running the handler", async () => {
      const { reply, ctx } = await answer({ "grpc-timeout": "0m" });

      expect(reply.status).toBe(504);
      expect(reply.headers["content-type"]).toMatch("application/problem+json");
      expect(reply.headers["throughline-outcome"]).toBe("deadline-exceeded;started=?0");
      expect(reply.json()).toMatchObject({
        title: "Deadline exceeded",
        status: 504,
        budgetMs: 0,
        setBy: "grpc-timeout header",
      });
      expect(ctx).toBeUndefined();
    });

    it("that leaves less than minBudget is answered 504 without running the handler", async () => {
      const { reply, ctx } = await answer({ "grpc-timeout": "40m" }, { minBudget: "50ms" });

      expect(reply.status).toBe(504);
      expect(ctx).toBeUndefined();
    });

    it("that passes in the handler is answered 504 with the budget and its source", async () => {
      const { reply, ctx } = await answer({ "grpc-timeout": "30m" }, {}, async () => {
        await sleep(current(), "10s");
        return "too late";
      });

      expect(reply.status).toBe(504);
      expect(reply.headers["throughline-outcome"]).toBe("deadline-exceeded;started=?1");
      expect(reply.json()).toMatchObject({ budgetMs: 30, setBy: "grpc-timeout header" });
      expect(reply.json()["elapsedMs"]).toBeGreaterThanOrEqual(30);
      expect(ctx?.err()).toBeInstanceOf(DeadlineExceeded);
    });

    it("that passes while the handler ignores its context is answered 504, and the handler's late result has no effect", async () => {
      const late = Promise.withResolvers<void>();
      let isDone = false;
      const url = await serving(async () => {
        await late.promise;
        isDone = true;
        return "too late";
      });
      const from = performance.now();
      const reply = await send(host.protocol, url, { "grpc-timeout": "40m" }).reply;

      expect(reply.status).toBe(504);
      expect(reply.json()).toMatchObject({ budgetMs: 40, setBy: "grpc-timeout header" });
      expect(performance.now() - from).toBeLessThan(1000);
      late.resolve();
      await vi.waitUntil(() => isDone);
      await new Promise(setImmediate);
      // The server still serves.
      expect((await send(host.protocol, url).reply).body).toBe("too late");
    });

    it.each([
      ["at once", () => Promise.resolve()],
      ["after the response is sent", (answered: Promise<unknown>) => answered],
    ])("that was answered causes no application error if the handler throws it %s", async (_when, until) => {
      const [answered, failed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const errors: unknown[] = [];
      const url = await servingWith(
        async () => {
          const ctx = current();
          await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
          await until(answered.promise);
          failed.resolve();
          throw ctx.err()!;
        },
        { onError: (error) => void errors.push(error) },
      );
      expect((await send(host.protocol, url, { "grpc-timeout": "30m" }).reply).status).toBe(504);
      await new Promise((resolve) => setTimeout(resolve, 10));
      answered.resolve();
      await failed.promise;
      await new Promise((resolve) => setTimeout(resolve, 10));

      expect(errors).toEqual([]);
    });

    it("that passes during the response body aborts the response", async () => {
      const url = await serving(() => endless());
      const sent = send(host.protocol, url, { "grpc-timeout": "60m" });

      await expect(sent.reply).rejects.toThrow();
    });

    it("can only be shortened by an inner request context, which answers it too", async () => {
      const left: number[] = [];
      const measure = async (options: object, inner: object): Promise<number> => {
        const url = await serving(() => String(left.push(current().remaining())), options, inner);
        await send(host.protocol, url).reply;
        return left.at(-1)!;
      };
      expect(await measure({ maxTimeout: "2s" }, { maxTimeout: "500ms" })).toBeLessThanOrEqual(500);
      const unchanged = await measure({ maxTimeout: "2s" }, { maxTimeout: "9s" });
      expect(unchanged).toBeGreaterThan(500);
      expect(unchanged).toBeLessThanOrEqual(2000);

      const url = await serving(() => new Promise<string>(() => {}), { maxTimeout: "9s" }, { maxTimeout: 30 });
      const reply = await send(host.protocol, url).reply;
      expect(reply.status).toBe(504);
      expect(reply.json()).toMatchObject({ budgetMs: 30, setBy: "maxTimeout" });
    });

    it.each(["soon", "-1S", "1s", "123456789m", "1 S"])(
      "written as %j is answered 400 with the header and its grammar",
      async (value) => {
        const { reply, ctx } = await answer({ "grpc-timeout": value });

        expect(reply.status).toBe(400);
        expect(reply.json()).toMatchObject({ title: "Invalid deadline", status: 400 });
        expect(reply.json()["detail"]).toMatch(/grpc-timeout.*1 to 8 digits and one of the units/);
        expect(ctx).toBeUndefined();
      },
    );

    it.each<[string, (value: string) => unknown]>([
      ["NaN", () => Number.NaN],
      ["a negative number", () => -5],
      ["negative infinity", () => -Infinity],
      ["text", () => "50"],
      ["a promise", async () => 50],
      ["a promise that rejects", () => Promise.reject(new Error("no"))],
      ["a thrown error", () => explode()],
    ])("that a dialect of the application parses to %s is answered 400", async (_what, parse) => {
      const dialect = { header: "x-budget", grammar: "a budget", parse, format: String } as DeadlineDialect;
      const { reply, ctx } = await answer({ "x-budget": "50" }, { deadlineHeaders: [dialect], maxTimeout: "2s" });

      expect([reply.status, ctx]).toEqual([400, undefined]);
      expect(reply.json()["detail"]).toMatch(/Cannot read the header x-budget: it must be a budget/);
    });

    it.each([Infinity, 1e300, Number.MAX_SAFE_INTEGER])(
      "that a dialect of the application parses to %d ms is limited by maxTimeout, and distant without it",
      async (ms) => {
        const deadlineHeaders = [{ header: "x-budget", grammar: "a budget", parse: () => ms, format: String }];
        expect(
          (await answer({ "x-budget": "50" }, { deadlineHeaders, maxTimeout: "2s" })).remaining,
        ).toBeLessThanOrEqual(2000);

        const { reply, remaining } = await answer({ "x-budget": "50" }, { deadlineHeaders });
        expect([reply.status, remaining! > 1e12]).toEqual([200, true]);
      },
    );

    it("sent twice is answered 400", async () => {
      expect((await answer({ "grpc-timeout": ["1S", "2S"] })).reply.status).toBe(400);
    });

    it("that is malformed counts as absent with invalidDeadline: 'ignore'", async () => {
      const { reply, remaining } = await answer(
        { "grpc-timeout": "soon" },
        { invalidDeadline: "ignore", maxTimeout: "2s" },
      );

      expect(reply.status).toBe(200);
      expect(remaining).toBeLessThanOrEqual(2000);
    });
  });
});
