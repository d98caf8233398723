import { type CancelFunc, type Context, withCancel, withTimeout } from "@throughline/context";

/** A context for one call, with the time that it may take in all, if that is limited. */
export function withOptionalTimeout(ctx: Context, timeout: number | undefined): [Context, CancelFunc] {
  return timeout === undefined ? withCancel(ctx) : withTimeout(ctx, timeout, { source: "timeout" });
}
