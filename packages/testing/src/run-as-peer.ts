import { AsyncResource } from "node:async_hooks";

import { background, run } from "@throughline/context";

/** Where no request is. */
const outside = new AsyncResource("throughline.peer", { requireManualDestroy: true });

/**
 * Runs `fn` as code of another service: `current()` is `background`, and the AsyncLocalStorage stores of the caller are
 * not visible. For handlers of a mock in the same process, which would else run in the context of their caller.
 */
export function runAsPeer<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R {
  return outside.runInAsyncScope(() => run(background, fn, ...args));
}
