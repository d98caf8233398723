import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";

import { afterFunc, type Context, current, withTimeout } from "@throughline/context";
import { fanOut, sleep } from "@throughline/resilience";

/** A request over any protocol. */
export interface Received {
  readonly body: Readable;
  readonly to: Writable;
  /** Sends the head of a 200 response, if the first byte does not. */
  begin(): void;
}

export type Handler = (received: Received) => void | Promise<void>;

const PIECE = Buffer.alloc(16 * 1024, "x");

/**
 * How long handlers run that ignore their context, in milliseconds: past any deadline, also if the process was delayed.
 */
const LATE = 500;

/** Handlers by the second part of the path. */
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
  /** More than a connection buffers for a client that does not read. */
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
  async ignore(received) {
    await delay(LATE);
    end(received);
  },
  /** Blocks the event loop past its deadline, so only `throwIfAborted` can see the end. */
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
  async "begin-ignore"({ to, begin }) {
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
    deriveWithoutCancel(current());
    await Promise.all([child(1, "1s"), child(2, "1s")]);
    end(received);
  },
};

/** A handler that throws synchronously does so here too. */
export function handle(path: string, received: Received): void | Promise<void> {
  return HANDLERS[path.split(/[/?]/)[2]!]!(received);
}

function end({ to, begin }: Received): void {
  begin();
  to.end("x");
}

/** Works under its own deadline and runs a function when that context ends. */
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

/** Derives contexts that are never canceled: observed and unobserved ones, with distant deadlines. */
function deriveWithoutCancel(ctx: Context): void {
  void withTimeout(ctx, "1h");
  const [observed] = withTimeout(ctx, "1m");
  afterFunc(observed, () => {});
  observed.signal.addEventListener("abort", () => {});
  sleep(withTimeout(observed, "30s")[0], "20s").catch(() => {});
}

function pieces(count: number): Readable {
  let left = count;
  return new Readable({
    read() {
      this.push(left-- > 0 ? PIECE : null);
    },
  });
}
