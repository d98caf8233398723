import { afterFunc, type Context, withTimeout } from "@throughline/context";
import type { Stoppable } from "@throughline/context/internal";

const noop = (): void => {};

/**
 * The context of one call, limited by the call's total timeout if there is one, and the function that cancels it.
 * Without a timeout it returns the same context: code that runs in it after the call, such as the next request of a
 * redirect interceptor, must not find it ended.
 */
export function withOptionalTimeout(ctx: Context, timeout: number | undefined): [Context, () => void] {
  return timeout === undefined ? [ctx, noop] : withTimeout(ctx, timeout, { source: "timeout" });
}

/**
 * A signal for one call. It aborts with the context or with the caller's own signal, and takes the reason of either.
 * Call `release` when the call ends: it removes all listeners. (`AbortSignal.any` leaves one on a long-lived signal.)
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  release(): void;
}

/** @param onAbort called after the signal has aborted, unless it was released before */
export function linkSignals(
  ctx: Context,
  callerSignal: AbortSignal | null | undefined,
  onAbort: (reason: unknown) => void,
): LinkedSignal {
  const controller = new AbortController();
  const abort = (reason: unknown): void => {
    controller.abort(reason);
    onAbort(reason);
  };
  const abortByCaller = (): void => abort(callerSignal!.reason);
  if (callerSignal?.aborted) controller.abort(callerSignal.reason);
  else callerSignal?.addEventListener("abort", abortByCaller, { once: true });
  const stop = afterFunc(ctx, () => abort(ctx.err()));
  return {
    signal: controller.signal,
    abort,
    release() {
      stop();
      callerSignal?.removeEventListener("abort", abortByCaller);
    },
  };
}

/**
 * Listens to the caller's own signal for as long as `fetch` listens to the call's signal: like `fetch`, it also
 * aborts a response that has arrived and was not read.
 */
export class CallerSignalListener implements Stoppable {
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  #isFetchListening = true;
  #hasCallEnded = false;

  /** @param callSignal the signal that `fetch` is given */
  constructor(signal: AbortSignal, callSignal: AbortSignal, onAbort: () => void) {
    this.#signal = signal;
    this.#onAbort = onAbort;
    signal.addEventListener("abort", onAbort, { once: true });
    onListenerRemoved(callSignal, () => {
      this.#isFetchListening = false;
      if (this.#hasCallEnded) this.stop();
    });
  }

  callEnded(hasFailed: boolean): void {
    this.#hasCallEnded = true;
    if (hasFailed || !this.#isFetchListening) this.stop();
  }

  stop(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}

/** Calls back when `fetch` removes a listener: with undici 8 after the body was read, with 7 after it was collected. */
function onListenerRemoved(signal: AbortSignal, removed: () => void): void {
  const remove = signal.removeEventListener.bind(signal);
  signal.removeEventListener = (...listener: Parameters<typeof remove>): void => {
    remove(...listener);
    removed();
  };
}
