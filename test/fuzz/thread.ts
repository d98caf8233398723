import { parentPort } from "node:worker_threads";

import { examine } from "./examine.ts";
import { subjects } from "./subjects.ts";

/** What a thread is to do. */
export interface Task {
  /** Which of the subjects. */
  readonly index: number;
  readonly values: number;
  readonly seed: number;
  /** Milliseconds. */
  readonly limit: number;
}

const port = parentPort!;

port.on("message", async ({ index, values, seed, limit }: Task) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has none
  port.postMessage(await examine(subjects[index]!, values, seed, limit));
});
