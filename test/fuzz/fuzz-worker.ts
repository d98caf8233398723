import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import type { Result } from "./examine.ts";
import type { Task } from "./worker-main.ts";

/**
 * Time in milliseconds after a task's limit until its worker is terminated. Only a value that blocks the worker needs
 * it.
 */
const GRACE = 10_000;

/** A worker thread that is terminated if a task hangs, and started again for the next task. */
export class FuzzWorker {
  #worker: Worker | undefined;

  /** Runs a task and returns its result, or a description of why it has none. Never rejects. */
  async run(task: Task): Promise<Result | string> {
    const worker = (this.#worker ??= new Worker(new URL("worker-main.ts", import.meta.url)));
    const over = new AbortController();
    const { signal } = over;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- workers have no target origin
    worker.postMessage(task);
    const result = await Promise.race([
      once(worker, "message", { signal }).then(([message]) => message as Result),
      once(worker, "exit", { signal }).then(([code]) => `the worker exited with code ${code}`),
      delay(task.limit + GRACE, "the worker hangs", { signal }),
    ]).catch((error: unknown) => `the worker failed: ${error}`);
    over.abort();
    if (typeof result === "string") this.close();
    return result;
  }

  close(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }
}
