import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import { background, createKey, current, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";
import { assertEndedBy, assertNoLeaks, inContext, leaks, peer, recordSpans, runWithClock } from "@throughline/testing";

const tenantKey = createKey("tenant");

afterEach(assertNoLeaks);
afterEach(() => mock.timers.reset());

void test("a call ends at the deadline, in the peer first", () =>
  runWithClock((clock) =>
    inContext({ timeout: "2s", values: [[tenantKey, "acme"]] }, async () => {
      assert.equal(current().value(tenantKey), "acme");
      const spans = recordSpans();
      const stock = peer("http://stock.internal", async () => {
        await sleep(current(), "3s");
        return new Response();
      });
      const found = createFetch({ fetch: stock.fetch })("http://stock.internal");
      await clock.advance("1998ms");
      assert.equal(stock.calls[0].endedBy, undefined);
      await clock.advance("1ms");
      assert.equal(stock.calls[0].endedBy, "deadline");
      assert.equal((await found).status, 504);
      assert.equal(spans.server[0].endedBy, "deadline");
      spans.stop();
    }),
  ));

void test("works beside the mock timers of node:test", async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"] });
  let others = 0;
  setTimeout(() => (others += 1), 2000);
  await runWithClock(async (clock) => {
    const [ctx] = withTimeout(background, "2s");
    const slept = sleep(ctx, "3s");
    slept.catch(() => {});
    await clock.advance("2s");
    await assertEndedBy(slept, "deadline");
  });
  assert.equal(others, 0);
  mock.timers.tick(2000);
  assert.equal(others, 1);
});

void test("finds a leak", () => {
  const [ctx, cancel] = withTimeout(background, "5s");
  assert.equal(ctx.signal.aborted, false);
  assert.match(leaks()[0].description, /clock\.suite\.mjs/);
  cancel();
});

void test("a test that waits without advancing the clock fails, and does not just end", () =>
  assert.rejects(
    runWithClock(() => sleep(background, "3s"), { stallTimeout: 100 }),
    /does not advance the clock/,
  ));
