import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import type { Result } from "./examine.ts";
import type { Task } from "./thread.ts";

/** Milliseconds beyond its limit in which a task must have ended: unless one value takes for ever, it does so by itself. */
const GRACE = 10_000;

/** A thread that can be ended whatever it does, and begun anew. */
export class Thread {
  #worker: Worker | undefined;

  /** What came of the task, or in words why nothing did. Never rejects. */
  async run(task: Task): Promise<Result | string> {
    const worker = (this.#worker ??= new Worker(new URL("thread.ts", import.meta.url)));
    const over = new AbortController();
    const { signal } = over;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    worker.postMessage(task);
    const result = await Promise.race([
      once(worker, "message", { signal }).then(([message]) => message as Result),
      once(worker, "exit", { signal }).then(([code]) => `its thread ended with ${code}`),
      delay(task.limit + GRACE, "it hangs", { signal }),
    ]).catch((error: unknown) => `its thread failed: ${error}`);
    over.abort();
    if (typeof result === "string") this.close();
    return result;
  }

  close(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }
}
