import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";

import type { Telemetry } from "./start-telemetry.ts";

/**
 * The main thread hears signals, and its end ends the others: it asks each worker thread that has telemetry to send what there is, and waits for that.
 * Worker threads have telemetry of their own where `--import` is among their `execArgv`, which they inherit.
 */
export interface WorkerThreads {
  /** Settles when each of them has sent its telemetry, or has ended. */
  flush(): Promise<void>;
}

/** A thread has telemetry; it has sent all; it has ended; and, from the main thread, the request to send. */
type Message = readonly [what: "started" | "sent" | "ended" | "flush", thread: number];

const CHANNEL = "@throughline/telemetry";

/** Keeps track of the worker threads; in one of them, does what the main thread asks for. */
export function workerThreads(telemetry: Telemetry): WorkerThreads {
  return isMainThread ? new Workers() : answering(telemetry);
}

class Workers implements WorkerThreads {
  // Made before the first thread is: what is sent to nobody is lost, and this thread may be busy when the other one starts.
  readonly #channel = channel((message) => this.#receive(message));
  /** Threads that have telemetry. */
  readonly #running = new Set<number>();
  /** Those that have been asked to send, until they have sent, or have ended. */
  readonly #sending = new Map<number, PromiseWithResolvers<void>>();

  constructor() {
    announceEnds((thread) => this.#receive(["ended", thread]));
  }

  async flush(): Promise<void> {
    if (this.#running.size === 0) return;
    post(this.#channel, ["flush", threadId]);
    for (const thread of this.#running) {
      if (!this.#sending.has(thread)) this.#sending.set(thread, Promise.withResolvers());
    }
    await Promise.all([...this.#sending.values()].map(({ promise }) => promise));
  }

  #receive([what, thread]: Message): void {
    if (what === "started") return void this.#running.add(thread);
    if (what === "ended") this.#running.delete(thread);
    this.#sending.get(thread)?.resolve();
    this.#sending.delete(thread);
  }
}

function answering(telemetry: Telemetry): WorkerThreads {
  const own = channel(([what]) => {
    if (what === "flush") void telemetry.flush().then(() => post(own, ["sent", threadId]));
  });
  announceEnds((thread) => post(own, ["ended", thread]));
  post(own, ["started", threadId]);
  // A thread's own end is no end of the others.
  return { flush: () => Promise.resolve() };
}

/** Calls back when a thread that this one has started has ended, however it did. */
function announceEnds(ended: (thread: number) => void): void {
  process.on("worker", (worker) => {
    const { threadId: thread } = worker;
    worker.once("exit", () => ended(thread));
  });
}

/** A channel that keeps no thread alive. */
function channel(receive: (message: Message) => void): BroadcastChannel {
  const made = new BroadcastChannel(CHANNEL);
  made.addEventListener("message", (event) => receive((event as MessageEvent).data as Message));
  made.unref();
  return made;
}

function post(to: BroadcastChannel, message: Message): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a window has one, a thread has none
  to.postMessage(message);
}
