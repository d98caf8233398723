import { type Context, DeadlineExceeded, type Key } from "@throughline/context";
import { deadlineDetails, isAttached, now, traceOwnerKey } from "@throughline/context/internal";

import type { ClientSettings } from "./client-options.ts";

/** A request with a deadline that applies to downstream services only, as in the mode `propagate` or during a drain. */
interface DownstreamDeadline {
  readonly ctx: Context;
  /** On the monotonic clock; `Infinity` without one. */
  readonly downstreamDeadline: number;
}

const requestKey = traceOwnerKey as unknown as Key<DownstreamDeadline>;

/** Milliseconds until the deadline that applies to downstream services only; `Infinity` without one. */
export function remainingDownstream(ctx: Context): number {
  const request = ctx.value(requestKey);
  if (request === undefined || request.downstreamDeadline === Infinity || !isAttached(ctx, request.ctx))
    return Infinity;
  return request.downstreamDeadline - now();
}

/**
 * Returns the deadline header for a request that is about to be sent; `undefined` if the context has no deadline.
 *
 * It never returns zero, and never omits the header because the time is up: the next service would run without a limit.
 *
 * @throws ContextError the context's own error if it has ended; `DeadlineExceeded` if less than a millisecond would be
 * left for the next service
 */
export function outboundDeadline(
  ctx: Context,
  { margin, dialect }: ClientSettings,
): { header: string; value: string } | undefined {
  ctx.throwIfAborted();
  const remaining = ctx.remaining();
  const downstream = remainingDownstream(ctx);
  if (remaining === Infinity && downstream === Infinity) return undefined;
  const budget = Math.floor(remaining - margin);
  if (budget < 1) {
    const details = deadlineDetails(ctx);
    const left = Math.round(remaining * 10) / 10;
    const by = details?.source === undefined ? "" : ` of a budget set by ${details.source}`;
    throw new DeadlineExceeded(
      `context deadline exceeded: ${left} ms left${by}, less a margin of ${margin} ms, are too little to call`,
      details,
    );
  }
  // A downstream deadline that has passed does not fail the call: the next service gets the minimum of 1 ms.
  return {
    header: dialect.header,
    value: dialect.format(Math.min(budget, Math.max(1, Math.floor(downstream - margin)))),
  };
}
