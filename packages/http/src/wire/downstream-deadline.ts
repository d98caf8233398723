import { type Context, type Key } from "@throughline/context";
import { isAttached, traceOwnerKey } from "@throughline/context/internal";

/** A request whose deadline may be only passed on to other services, as in the mode `propagate` or during a drain. */
interface DownstreamDeadline {
  readonly ctx: Context;
  /** On the monotonic clock; `Infinity` without one. */
  readonly downstreamDeadline: number;
}

const requestKey = traceOwnerKey as unknown as Key<DownstreamDeadline>;

/** Milliseconds until the deadline that is only passed on to other services; `Infinity` without one. */
export function remainingDownstream(ctx: Context): number {
  const request = ctx.value(requestKey);
  if (request === undefined || request.downstreamDeadline === Infinity || !isAttached(ctx, request.ctx))
    return Infinity;
  return request.downstreamDeadline - performance.now();
}
