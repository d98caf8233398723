import { background, current, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { describe, expect, it } from "vitest";

import { chaos, type ChaosOptions } from "./chaos.ts";
import { runWithClock } from "./clock.ts";
import { inContext } from "./in-context.ts";
import { assertEndedBy } from "./outcome.ts";
import { peer } from "./peer.ts";

const URL = "http://stock.internal/";
const stock = peer("http://stock.internal", () => Response.json(current().remaining()));

async function faultsOf(options: ChaosOptions, calls: number): Promise<readonly string[]> {
  const fetch = chaos(stock.fetch, options);
  for (let call = 0; call < calls; call++) {
    const signal = AbortSignal.abort(new Error("stalled"));
    await fetch(URL, fetch.faults.length === calls ? {} : { signal }).catch(() => {});
  }
  return fetch.faults;
}

describe("the faults", () => {
  it("are the same for the same seed, and others for another one", async () => {
    const shares = { reset: 0.2, stall: 0.2, unavailable: 0.2 };
    const first = await faultsOf({ seed: 7, ...shares }, 50);
    expect(await faultsOf({ seed: 7, ...shares }, 50)).toEqual(first);
    expect(await faultsOf({ seed: 8, ...shares }, 50)).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set(["none", "reset", "stall", "unavailable"]));
  });

  it("have the share that was asked for", async () => {
    const faults = await faultsOf({ reset: 0.25 }, 2000);
    expect(faults.filter((fault) => fault === "reset").length / 2000).toBeCloseTo(0.25, 1);
    expect(new Set(await faultsOf({}, 20))).toEqual(new Set(["none"]));
  });
});

it("a reset fails as a reset connection does, and a retry succeeds", async () => {
  await expect(chaos(stock.fetch, { reset: 1 })(URL)).rejects.toMatchObject({ cause: { code: "ECONNRESET" } });
  const fetch = chaos(stock.fetch, { reset: 0.5, seed: 7 });
  await runWithClock(async (clock) => {
    const found = createFetch({ fetch, retry: { attempts: 10, budget: "none" } })(URL);
    await clock.runUntilIdle();
    expect((await found).status).toBe(200);
  });
  expect(fetch.faults).toEqual(["reset", "none"]);
});

it("unavailable is answered 503", async () => {
  expect((await chaos(stock.fetch, { unavailable: 1 })(URL)).status).toBe(503);
});

it("a retry after the time that a storm announces succeeds", () =>
  runWithClock(async (clock) => {
    const fetch = chaos(stock.fetch, { storm: { every: "10s", lasts: "3s" } });
    await clock.advance("8s");
    const found = createFetch({ fetch, retry: true })(URL);
    expect(await clock.runUntilIdle()).toBeGreaterThanOrEqual(2000);
    expect((await found).status).toBe(200);
    expect(fetch.faults).toEqual(["unavailable", "none"]);
  }));

it("a stall lasts until the deadline, on the clock", () =>
  runWithClock((clock) =>
    inContext({ timeout: "2s" }, async () => {
      const found = createFetch({ fetch: chaos(stock.fetch, { stall: 1 }) })(URL);
      found.catch(() => {});
      await clock.advance("2s");
      await assertEndedBy(found, "deadline");
    }),
  ));

it("the latency is at most the given one, on the clock", () =>
  runWithClock(async (clock) => {
    const fetch = chaos(stock.fetch, { latency: "100ms" });
    const took: number[] = [];
    for (let call = 0; call < 20; call++) {
      const from = clock.elapsed;
      const found = fetch(URL);
      await clock.runUntilIdle();
      await found;
      took.push(clock.elapsed - from);
    }
    expect(Math.max(...took)).toBeLessThanOrEqual(100);
    expect(new Set(took).size).toBeGreaterThan(5);
  }));

it("the budget runs out at the call that is named", () =>
  runWithClock(async (clock) => {
    const fetch = createFetch({ fetch: chaos(stock.fetch, { exhaustAt: 2 }) });
    const [ctx] = withTimeout(background, "2s");
    expect((await fetch(URL, { ctx })).status).toBe(200);
    const second = fetch(URL, { ctx });
    second.catch(() => {});
    await clock.advance("1999ms");
    expect(stock.calls.length).toBeGreaterThan(0);
    await clock.advance("1ms");
    await assertEndedBy(second, "deadline");
  }));

it.each<[ChaosOptions, string]>([
  [{ reset: 2 }, "'reset' must be from 0 to 1"],
  [{ reset: 0.6, stall: 0.6 }, "must be at most 1 together"],
  [{ latency: "x" as never }, "'latency' must be"],
  [{ resets: 1 } as never, "there is no option 'resets'"],
])("rejects %j", (options, message) => {
  expect(() => chaos(stock.fetch, options)).toThrow(message);
});
