import { type CancelFunc, type Context } from "@throughline/context";
import { callable, describeValue } from "@throughline/context/internal";
import type { Guard } from "@throughline/http";

/** The option that server interceptors of grpc-js and of Connect add to those of every server. */
export interface GuardsOption {
  /**
   * Guards that run in this order before the handler, such as `bearer` of `@throughline/identity`. A guard that throws
   * ends the call with the status of its error.
   *
   * @default []
   */
  guards?: readonly Guard[];
}

/** @throws TypeError if `guards` is not a list of functions */
export function checkedGuards(guards: readonly Guard[]): readonly Guard[] {
  const action = "create a server interceptor";
  if (!Array.isArray(guards)) {
    throw new TypeError(`Cannot ${action}: 'guards' must be a list of functions; received ${describeValue(guards)}`);
  }
  for (const guard of guards) callable("guards", guard, action);
  return guards;
}

/**
 * The error for an interceptor that was given to the other library. Without it, the call would fail later with an error
 * that does not name the mistake.
 */
export function misplaced(side: "client" | "server", library: "@grpc/grpc-js" | "Connect"): TypeError {
  const [other, entry] =
    library === "Connect" ? ["@grpc/grpc-js", "@throughline/grpc"] : ["Connect", "@throughline/grpc/connect"];
  return new TypeError(
    `Cannot intercept a call: this interceptor must be given to a ${side} of ${library}; for ${other} use the one of ${entry}`,
  );
}

/**
 * Derives the context of a client's call, which ends at the call's own limit or at the client's `timeout`, whichever is
 * earlier. It returns the given context if there is neither.
 *
 * @param derive `withTimeout` for limits in milliseconds, `withDeadline` for points of time
 * @param own the call's own limit
 * @param name of the call option that set `own`, for the `source` of the deadline
 */
export function withCallLimit(
  ctx: Context,
  derive: (ctx: Context, limit: number, options: { source: string }) => [Context, CancelFunc],
  own: number | undefined,
  name: string,
  timeout: number | undefined,
): [Context, CancelFunc | undefined] {
  if (own === undefined && timeout === undefined) return [ctx, undefined];
  const isOwn = own !== undefined && own <= (timeout ?? Infinity);
  return derive(ctx, isOwn ? own : timeout!, { source: isOwn ? name : "timeout" });
}
