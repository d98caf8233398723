/* global afterEach, it */
// Must fail: the test leaves a context that is listened to.

import { background, withTimeout } from "@throughline/context";
import { assertNoLeaks } from "@throughline/testing";

afterEach(assertNoLeaks);

it("leaves a context", () => {
  withTimeout(background, "5s")[0].signal.addEventListener("abort", () => {});
});
