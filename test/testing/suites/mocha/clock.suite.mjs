/* global afterEach, it */
import assert from "node:assert/strict";

import { background, current, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";
import { assertEndedBy, assertNoLeaks, inContext, leaks, peer, runWithClock } from "@throughline/testing";
import sinon from "sinon";

afterEach(assertNoLeaks);
afterEach(() => sinon.restore());

it("a call ends at the deadline, in the peer first", () =>
  runWithClock((clock) =>
    inContext({ timeout: "2s" }, async () => {
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
    }),
  ));

it("works beside sinon's fake timers", async () => {
  const fake = sinon.useFakeTimers();
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
  fake.tick(2000);
  assert.equal(others, 1);
});

it("finds a leak", () => {
  const [ctx, cancel] = withTimeout(background, "5s");
  assert.equal(ctx.signal.aborted, false);
  assert.match(leaks()[0].description, /clock\.suite\.mjs/);
  cancel();
});
