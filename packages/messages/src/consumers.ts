import { setTimeout as delay } from "node:timers/promises";

import { background, type CancelFunc, type Context, type Duration, withCancel } from "@throughline/context";
import { callAfter, milliseconds, refuseUnknown } from "@throughline/context/internal";
import { ServerDraining } from "@throughline/http";
import { GRACE_MS } from "@throughline/http/adapter";

export interface ConsumersDrainOptions {
  /** How long work that has begun may go on. What is left then is canceled, and its messages are given back. */
  shutdownTimeout: Duration;
}

const ACTION = "drain consumers";

/**
 * The messages and jobs that a process works on, so that a shutdown can end them: pass it to `consume`, `every` and
 * `detach` as `consumers`. First tell the client of the broker to deliver nothing more, then call `drain`.
 */
export class Consumers {
  readonly #cancel: CancelFunc;
  /** All work derives from it. */
  readonly ctx: Context;
  #count = 0;
  #idle: (() => void) | undefined;
  #drained: Promise<void> | undefined;

  constructor() {
    [this.ctx, this.#cancel] = withCancel(background);
  }

  /** How many messages and jobs are being processed. */
  get active(): number {
    return this.#count;
  }

  /** @internal Counts a message until the function that it returns is called. */
  begin(): () => void {
    this.#count += 1;
    let isDone = false;
    return () => {
      if (isDone) return;
      isDone = true;
      this.#count -= 1;
      if (this.#count === 0) this.#idle?.();
    };
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
    const idle = this.#count === 0 ? Promise.resolve() : new Promise<void>((resolve) => (this.#idle = resolve));
    const late = Promise.withResolvers<void>();
    const stopTimer = callAfter(ms, () => late.resolve());
    await Promise.race([idle, late.promise]);
    stopTimer();
    this.#cancel(new ServerDraining());
    await Promise.race([idle, delay(GRACE_MS, undefined, { ref: false })]);
  }
}
