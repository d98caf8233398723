import { afterFunc, type Context } from "@throughline/context";

/**
 * A signal for one call, which aborts with the context or with the caller's own signal, each with its own reason. Release it
 * when the call is over: it leaves no listener behind. (`AbortSignal.any` would, on a signal that lives long.)
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  release(): void;
}

export function linkSignals(ctx: Context, own: AbortSignal | null | undefined): LinkedSignal {
  const controller = new AbortController();
  const stop = afterFunc(ctx, () => controller.abort(ctx.err()));
  if (own === null || own === undefined) return { signal: controller.signal, release: stop };

  const abort = (): void => controller.abort(own.reason);
  if (own.aborted) abort();
  else own.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    release() {
      stop();
      own.removeEventListener("abort", abort);
    },
  };
}
