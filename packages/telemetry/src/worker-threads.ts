import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";

import type { Telemetry } from "./start-telemetry.ts";

/**
 * The telemetry of worker threads. Only the main thread receives signals, and its end terminates the workers: it asks
 * each worker that has telemetry to flush, and waits. Workers have their own telemetry if `--import` is among their
 * `execArgv`, which they inherit.
 */
export interface WorkerThreads {
  /** Resolves when each worker has flushed its telemetry or has ended. */
  flush(): Promise<void>;
}

/**
 * What happened to a thread: its telemetry started, it was flushed, or the thread ended; or the request of the main
 * thread to flush.
 */
type Message = readonly [event: "started" | "flushed" | "ended" | "flush", thread: number];

const CHANNEL = "@throughline/telemetry";

/** On the main thread it tracks the workers; in a worker it answers the main thread's requests. */
export function workerThreads(telemetry: Telemetry): WorkerThreads {
  return isMainThread ? new Workers() : answerMainThread(telemetry);
}

class Workers implements WorkerThreads {
  // Created before any worker: messages without a receiver are lost, and this thread may be busy when a worker starts.
  readonly #channel = openChannel((message) => this.#receive(message));
  /** Threads that have telemetry. */
  readonly #running = new Set<number>();
  /** Threads that were asked to flush, and have neither flushed nor ended. */
  readonly #flushing = new Map<number, PromiseWithResolvers<void>>();

  constructor() {
    onWorkerExit((thread) => this.#receive(["ended", thread]));
  }

  async flush(): Promise<void> {
    if (this.#running.size === 0) return;
    post(this.#channel, ["flush", threadId]);
    for (const thread of this.#running) {
      if (!this.#flushing.has(thread)) this.#flushing.set(thread, Promise.withResolvers());
    }
    await Promise.all([...this.#flushing.values()].map(({ promise }) => promise));
  }

  #receive([event, thread]: Message): void {
    if (event === "started") return void this.#running.add(thread);
    if (event === "ended") this.#running.delete(thread);
    this.#flushing.get(thread)?.resolve();
    this.#flushing.delete(thread);
  }
}

function answerMainThread(telemetry: Telemetry): WorkerThreads {
  const channel = openChannel(([event]) => {
    if (event === "flush") void telemetry.flush().then(() => post(channel, ["flushed", threadId]));
  });
  onWorkerExit((thread) => post(channel, ["ended", thread]));
  post(channel, ["started", threadId]);
  // The end of a worker does not end other workers, so it has none to wait for.
  return { flush: () => Promise.resolve() };
}

/** Calls back when a worker that this thread started has exited, for whatever reason. */
function onWorkerExit(exited: (thread: number) => void): void {
  process.on("worker", (worker) => {
    const { threadId: thread } = worker;
    worker.once("exit", () => exited(thread));
  });
}

/** Opens a channel that does not keep the thread alive. */
function openChannel(receive: (message: Message) => void): BroadcastChannel {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", (event) => receive((event as MessageEvent).data as Message));
  channel.unref();
  return channel;
}

function post(to: BroadcastChannel, message: Message): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- only windows have a target origin
  to.postMessage(message);
}
