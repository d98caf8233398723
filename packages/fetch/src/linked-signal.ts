import { afterFunc, type Context } from "@throughline/context";

/**
 * A signal for one call, which aborts with the context or with the caller's own signal, each with its own reason. Release it
 * when the call is over: it leaves no listener behind. (`AbortSignal.any` would, on a signal that lives long.)
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  release(): void;
}

/** @param aborted told after the signal has aborted, unless it was released before */
export function linkSignals(
  ctx: Context,
  own: AbortSignal | null | undefined,
  aborted: (reason: unknown) => void,
): LinkedSignal {
  const controller = new AbortController();
  const abort = (reason: unknown): void => {
    controller.abort(reason);
    aborted(reason);
  };
  const abortByOwn = (): void => abort(own!.reason);
  if (own?.aborted) controller.abort(own.reason);
  else own?.addEventListener("abort", abortByOwn, { once: true });
  const stop = afterFunc(ctx, () => abort(ctx.err()));
  return {
    signal: controller.signal,
    abort,
    release() {
      stop();
      own?.removeEventListener("abort", abortByOwn);
    },
  };
}
