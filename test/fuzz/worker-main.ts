import { parentPort } from "node:worker_threads";

import { examine } from "./examine.ts";
import { subjects } from "./subjects.ts";

/** One subject to run. */
export interface Task {
  /** Index in `subjects`. */
  readonly index: number;
  readonly values: number;
  readonly seed: number;
  /** Time for all values, in milliseconds. */
  readonly limit: number;
}

const port = parentPort!;

port.on("message", async ({ index, values, seed, limit }: Task) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- message ports have no target origin
  port.postMessage(await examine(subjects[index]!, values, seed, limit));
});
