import { setTimeout as delay } from "node:timers/promises";

import { background, type CancelFunc, type Context, type Duration, withCancel } from "@throughline/context";
import { callable, callAfter, milliseconds, refuseUnknown } from "@throughline/context/internal";
import { ServerDraining } from "@throughline/http";
import { GRACE_MS } from "@throughline/http/adapter";

export interface ConsumersDrainOptions {
  /** How long work that has begun may go on. What is left then is canceled, and its messages are given back. */
  shutdownTimeout: Duration;
}

const ACTION = "drain consumers";

/**
 * The messages and jobs that a process works on, so that a shutdown can end them: pass it to `consume`, `every` and
 * `detach` as `consumers`. `drain` first makes the clients of the brokers deliver nothing more: the subpaths of this
 * package do that themselves, others with `onDrain`.
 */
export class Consumers {
  readonly #cancel: CancelFunc;
  /** All work derives from it. */
  readonly ctx: Context;
  #active = 0;
  /** Messages that are being processed or settled. */
  #open = 0;
  #idle: (() => void) | undefined;
  #isDraining = false;
  #drained: Promise<void> | undefined;
  readonly #stops = new Set<() => unknown>();

  constructor() {
    [this.ctx, this.#cancel] = withCancel(background);
  }

  /** How many messages and jobs are being processed. */
  get active(): number {
    return this.#active;
  }

  /** Whether a drain has begun: nothing new may start. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** @internal Counts a message until the function that it returns is called. */
  begin(): () => void {
    this.#active += 1;
    const settled = this.beginSettling();
    return once(() => {
      this.#active -= 1;
      settled();
    });
  }

  /** @internal Makes a drain wait until the function that it returns is called. */
  beginSettling(): () => void {
    this.#open += 1;
    return once(() => {
      this.#open -= 1;
      if (this.#open === 0) this.#idle?.();
    });
  }

  /**
   * Calls `stop` when a drain begins, or at once if it has begun: it must make the client of a broker deliver nothing
   * more. The drain waits for a promise that it returns; its error becomes a warning of the process.
   *
   * @returns a function that removes it
   * @throws TypeError if `stop` is not a function
   */
  onDrain(stop: () => unknown): () => void {
    callable("stop", stop, "add a function to consumers");
    if (this.#isDraining) void settle(stop);
    else this.#stops.add(stop);
    return () => void this.#stops.delete(stop);
  }

  /**
   * Waits for the work that has begun; cancels what is left after `shutdownTimeout` with `ServerDraining` as the cause,
   * and waits a moment for it. Messages that are consumed later are given back without being processed.
   *
   * @returns a promise that resolves when nothing is left to wait for; a second call gives the first one's
   * @throws TypeError, RangeError if an option is wrong
   */
  drain({ shutdownTimeout, ...others }: ConsumersDrainOptions): Promise<void> {
    refuseUnknown(others, ACTION);
    const ms = milliseconds(shutdownTimeout, ACTION, "shutdownTimeout");
    return (this.#drained ??= this.#drain(ms));
  }

  async #drain(ms: number): Promise<void> {
    this.#isDraining = true;
    const ended = this.#end();
    const late = Promise.withResolvers<void>();
    const stopTimer = callAfter(ms, () => late.resolve());
    await Promise.race([ended, late.promise]);
    stopTimer();
    this.#cancel(new ServerDraining());
    await Promise.race([ended, delay(GRACE_MS, undefined, { ref: false })]);
  }

  /** Stops the clients, and waits for them and for the messages that they have delivered. */
  async #end(): Promise<void> {
    const stops = [...this.#stops];
    this.#stops.clear();
    if (stops.length > 0) await Promise.all(stops.map(settle));
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }
}

async function settle(stop: () => unknown): Promise<void> {
  try {
    await stop();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: "THROUGHLINE_DRAIN" });
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
