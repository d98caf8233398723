import { afterEach, expect, jest, test } from "@jest/globals";
import { background, current, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";
import {
  assertEndedBy,
  assertNoLeaks,
  endedBy,
  inContext,
  leaks,
  peer,
  recordSpans,
  runWithClock,
  type TestClock,
} from "@throughline/testing";

afterEach(assertNoLeaks);
afterEach(() => void jest.useRealTimers());

test("a call ends at the deadline, in the peer first", () =>
  runWithClock((clock: TestClock) =>
    inContext({ timeout: "2s" }, async () => {
      const spans = recordSpans();
      const stock = peer("http://stock.internal", async () => {
        await sleep(current(), "3s");
        return new Response();
      });
      const found = createFetch({ fetch: stock.fetch })("http://stock.internal");
      await clock.advance("1998ms");
      expect(endedBy(stock.calls[0])).toBeUndefined();
      await clock.advance("1ms");
      expect(endedBy(stock.calls[0])).toBe("deadline");
      expect((await found).status).toBe(504);
      expect(spans.server[0]!.endedBy).toBe("deadline");
      spans.stop();
    }),
  ));

test("works beside jest's fake timers", async () => {
  jest.useFakeTimers();
  let others = 0;
  setTimeout(() => (others += 1), 2000);
  await runWithClock(async (clock) => {
    const [ctx] = withTimeout(background, "2s");
    const slept = sleep(ctx, "3s");
    slept.catch(() => {});
    await clock.advance("2s");
    await assertEndedBy(slept, "deadline");
  });
  expect(others).toBe(0);
  jest.advanceTimersByTime(2000);
  expect(others).toBe(1);
});

test("finds a leak, by the line of the TypeScript file", () => {
  const [ctx, cancel] = withTimeout(background, "5s"); // line 56
  expect(ctx.signal.aborted).toBe(false);
  expect(leaks()[0]!.description).toContain("clock.spec.ts:56:");
  cancel();
});

test("a test that leaves a timer fails", async () => {
  await expect(runWithClock(() => void sleep(background, "3s"))).rejects.toThrow("these still wait");
});
