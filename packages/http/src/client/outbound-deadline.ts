import { type Context, DeadlineExceeded } from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";

import { remainingDownstream } from "../wire/downstream-deadline.ts";
import type { ClientSettings } from "./client-options.ts";

/**
 * The deadline header for a request that is about to be sent; `undefined` where the context has no deadline.
 *
 * @throws ContextError the context's own error if it has ended; `DeadlineExceeded` if less than a millisecond would be left to the
 * next service. Zero is never sent, and the header never left out because the time is up: the next service would run without a limit.
 */
export function outboundDeadline(
  ctx: Context,
  { margin, dialect }: ClientSettings,
): { header: string; value: string } | undefined {
  ctx.throwIfAborted();
  const remaining = ctx.remaining();
  const declared = remainingDownstream(ctx);
  if (remaining === Infinity && declared === Infinity) return undefined;
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
  // What is only passed on refuses nothing here: the next service is told that the time is as good as up.
  return {
    header: dialect.header,
    value: dialect.format(Math.min(budget, Math.max(1, Math.floor(declared - margin)))),
  };
}
