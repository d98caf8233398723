// 200 tests of deadlines. The last line that it prints has the time that they took.
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";

import { current } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";
import { assertEndedBy, assertNoLeaks, inContext, peer, runWithClock } from "@throughline/testing";

const TESTS = 200;
let simulated = 0;
const from = performance.now();

afterEach(assertNoLeaks);
after(() => {
  const took = Math.round(performance.now() - from);
  console.log(`${TESTS} tests of deadlines, of ${simulated / 1000} s in all, took ${took} ms`);
});

for (let seconds = 1; seconds <= TESTS; seconds++) {
  void test(`a call has ended after ${seconds} s`, () =>
    runWithClock((clock) =>
      inContext({ timeout: `${seconds}s` }, async () => {
        const stock = peer("http://stock.internal", async () => {
          await sleep(current(), "1h");
          return new Response();
        });
        const found = createFetch({ fetch: stock.fetch })("http://stock.internal");
        await clock.advance(seconds * 1000 - 2);
        assert.equal(stock.calls[0].endedBy, undefined);
        await clock.advance(1);
        await assertEndedBy(stock.calls[0], "deadline");
        assert.equal((await found).status, 504);
        simulated += seconds * 1000;
      }),
    ));
}
