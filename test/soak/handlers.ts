import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";

import { afterFunc, type Context, current, withTimeout } from "@throughline/context";
import { fanOut, sleep } from "@throughline/resilience";

/** A request, whatever it came over. */
export interface Received {
  readonly body: Readable;
  readonly to: Writable;
  /** Sends the head of a 200, where the first byte does not. */
  begin(): void;
}

export type Handler = (received: Received) => void | Promise<void>;

const PIECE = Buffer.alloc(16 * 1024, "x");

/** How late those are that do not listen, in milliseconds: later than any deadline, also where the process has come to a halt for a while. */
const LATE = 500;

/** By the second part of the path. None of those that do not listen looks at whether anybody is still there. */
const HANDLERS: Record<string, Handler> = {
  answer: end,
  async upload(received) {
    for await (const _piece of received.body);
    end(received);
  },
  async long({ to, begin }) {
    begin();
    await pipeline(pieces(8), to);
  },
  /** More than a connection takes up without being read. */
  async "too-long"({ to, begin }) {
    begin();
    await pipeline(pieces(1500), to);
  },
  async wait(received) {
    await sleep(current(), "10s");
    end(received);
  },
  async pause(received) {
    await sleep(current(), "4ms");
    end(received);
  },
  async deaf(received) {
    await delay(LATE);
    end(received);
  },
  /** Finds out by itself, before anybody could tell it. */
  busy(received) {
    for (const from = performance.now(); performance.now() - from < 5;);
    current().throwIfAborted();
    end(received);
  },
  async begin({ to, begin }) {
    begin();
    to.write("x");
    await sleep(current(), "10s");
    to.end();
  },
  async "begin-deaf"({ to, begin }) {
    begin();
    to.write("x");
    await delay(LATE);
    to.end("x");
  },
  async fan(received) {
    await fanOut(current(), [0, 1, 2], (_ctx, ms) => child(ms, "1s"));
    end(received);
  },
  async "fan-long"(received) {
    await Promise.all([child(9000, "9s"), child(1, "1s"), child(5000, "6s")]);
    end(received);
  },
  async forget(received) {
    forgetful(current());
    await Promise.all([child(1, "1s"), child(2, "1s")]);
    end(received);
  },
};

/** What throws at once, and not by a promise, does so here too. */
export function handle(path: string, received: Received): void | Promise<void> {
  return HANDLERS[path.split(/[/?]/)[2]!]!(received);
}

function end({ to, begin }: Received): void {
  begin();
  to.end("x");
}

/** Works under a deadline of its own, and has something done when that is over. */
async function child(ms: number, timeout: "1s" | "6s" | "9s"): Promise<void> {
  const [ctx, cancel] = withTimeout(current(), timeout);
  const over = Promise.withResolvers<void>();
  afterFunc(ctx, over.resolve);
  const stop = afterFunc(ctx, () => {});
  try {
    await sleep(ctx, ms);
  } finally {
    stop();
    cancel();
  }
  await over.promise;
}

/** Derives what nobody cancels: some of it watched, some of it not, and with a deadline that nobody will wait for. */
function forgetful(ctx: Context): void {
  void withTimeout(ctx, "1h");
  const [watched] = withTimeout(ctx, "1m");
  afterFunc(watched, () => {});
  watched.signal.addEventListener("abort", () => {});
  sleep(withTimeout(watched, "30s")[0], "20s").catch(() => {});
}

function pieces(count: number): Readable {
  let left = count;
  return new Readable({
    read() {
      this.push(left-- > 0 ? PIECE : null);
    },
  });
}
