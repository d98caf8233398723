// Must fail: the test leaves a context that is listened to.
import { afterEach, test } from "bun:test";

import { background, withTimeout } from "@throughline/context";
import { assertNoLeaks } from "@throughline/testing";

afterEach(assertNoLeaks);

test("leaves a context", () => {
  withTimeout(background, "5s")[0].signal.addEventListener("abort", () => {});
});
