import { background, current, withTimeout } from "@throughline/context";
import { callsOf, createFetch } from "@throughline/fetch";
import { hedge, Percentile, retry, RetryBudget, sleep } from "@throughline/resilience";
import { expect, it, vi } from "vitest";

import { runWithClock, type TestClock } from "./clock.ts";
import { inContext } from "./in-context.ts";
import { recordMetrics } from "./metrics.ts";
import { peer } from "./peer.ts";

const ORIGIN = "http://stock.internal";

it("the idle timeout of a response", () =>
  runWithClock(async (clock) => {
    const stock = peer(ORIGIN, () => new Response(new ReadableStream()), {
      server: { idleTimeout: "2s" },
    });
    const response = await createFetch({ fetch: stock.fetch })(ORIGIN);
    const text = response.text();
    text.catch(() => {});
    await clock.advance("1s");
    expect(stock.calls[0]!.endedBy).toBeUndefined();
    await clock.advance("2s");
    expect(stock.calls[0]!.endedBy).toBeDefined();
    await expect(text).rejects.toThrow();
  }));

it("a deadline that applies to the services behind only", () =>
  runWithClock((clock) =>
    inContext({ timeout: "2s" }, async () => {
      const prices = peer("http://prices.internal", () => new Response("5"));
      const forward = async (): Promise<Response> => {
        await sleep(current(), "500ms");
        return createFetch({ fetch: prices.fetch })("http://prices.internal");
      };
      const stock = peer(ORIGIN, forward, { server: { mode: "propagate" } });
      const found = createFetch({ fetch: stock.fetch })(ORIGIN);
      await clock.advance("500ms");
      await found;
      expect(stock.calls[0]!.budget).toBeUndefined();
      expect(prices.calls[0]!.budget).toBe(1498);
    }),
  ));

it("the time that a call took until it was ended", () =>
  runWithClock(async (clock) => {
    const never = (): Promise<Response> => new Promise(() => {});
    const [ctx] = withTimeout(background, "2s");
    const found = createFetch({ fetch: never })(ORIGIN, { ctx });
    found.catch(() => {});
    await clock.advance("2s");
    await expect(found).rejects.toBe(ctx.err());
    expect(callsOf(ctx.err())).toMatchObject([{ elapsed: 2000 }]);
  }));

it("the delay of hedging, which follows the time that calls take", () =>
  runWithClock(async (clock) => {
    const delay = new Percentile(0.5);
    for (let call = 0; call < 16; call++) {
      const done = hedge(background, () => sleep(current(), "100ms"), { delay });
      await clock.advance("100ms");
      await done;
    }
    expect(delay.value).toBe(100);
    let attempts = 0;
    const slow = hedge(background, () => ((attempts += 1), sleep(current(), "1s")), { delay });
    await clock.advance("99ms");
    expect(attempts).toBe(1);
    await clock.advance("1ms");
    expect(attempts).toBe(2);
    await clock.runUntilIdle();
    await slow;
  }));

it("the window of a retry budget, which is empty again when the clock has been stopped", async () => {
  const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.1, window: "10s" });
  const attempts = async (clock?: TestClock): Promise<number> => {
    const fn = vi.fn().mockRejectedValue(new Error("down"));
    const failed = retry(background, fn, { budget, attempts: 2, backoff: { base: 0 } }).catch(() => {});
    await clock?.advance(0);
    await failed;
    return fn.mock.calls.length;
  };
  await runWithClock(async (clock) => {
    expect([await attempts(clock), await attempts(clock)]).toEqual([2, 1]);
    await clock.advance("9s");
    expect(await attempts(clock)).toBe(1);
    await clock.advance("2s");
    expect(await attempts(clock)).toBe(2);
  });
  expect(await attempts()).toBe(2);
});

it("the duration of a request in the metrics of both sides", () =>
  runWithClock(async (clock) => {
    const recorded = recordMetrics();
    const stock = peer(ORIGIN, async () => {
      await sleep(current(), "1500ms");
      return new Response("in stock");
    });
    const found = createFetch({ fetch: stock.fetch })(ORIGIN);
    await clock.advance("1500ms");
    await (await found).text();
    await clock.settle();
    for (const side of ["server", "client"]) {
      const [duration] = await recorded.series(`http.${side}.request.duration`);
      expect([side, duration?.value, duration?.count]).toEqual([side, 1.5, 1]);
    }
    recorded.stop();
  }));
