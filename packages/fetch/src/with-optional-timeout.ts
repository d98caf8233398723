import { type Context, withTimeout } from "@throughline/context";

const nothing = (): void => {};

/**
 * A context for one call, with the time that it may take in all, if that is limited, and what ends it. Without a limit it is the same context: what runs
 * in it when the call is over, such as the next request of whatever follows redirects, must not find it ended.
 */
export function withOptionalTimeout(ctx: Context, timeout: number | undefined): [Context, () => void] {
  return timeout === undefined ? [ctx, nothing] : withTimeout(ctx, timeout, { source: "timeout" });
}
