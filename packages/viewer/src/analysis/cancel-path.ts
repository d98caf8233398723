import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { enderOf, isStopped } from "./span-facts.ts";

/** A span that was stopped, with the span that stopped before it. */
export interface CancelStep {
  readonly span: ViewedSpan;
  /** The span that the cancellation came from; `undefined` if it started here. */
  readonly from: ViewedSpan | undefined;
  /** Milliseconds from the end of `from` to the end of `span`. */
  readonly lag: number;
}

/** Milliseconds by which the clocks of two machines may differ: an effect may seem to precede its cause. */
const SKEW = 1;

/**
 * The spread of a cancellation through the hops, in order of time. It comes from the nearest ancestor that stopped no
 * later, or, if a deadline fired deeper, from the descendant that stopped first. A span with neither started a
 * cancellation.
 */
export function cancelPath(rows: readonly TreeRow[]): CancelStep[] {
  const above = new Map<ViewedSpan, ViewedSpan | undefined>();
  const below = new Map<ViewedSpan, ViewedSpan>();
  const path: (ViewedSpan | undefined)[] = [];
  for (const { span, depth } of rows) {
    const nearest = depth === 0 ? undefined : path[depth - 1];
    path[depth] = isStopped(span) ? span : nearest;
    if (!isStopped(span)) continue;
    above.set(span, nearest);
    if (nearest === undefined) continue;
    const first = below.get(nearest);
    if (first === undefined || span.end < first.end) below.set(nearest, span);
  }
  const order = new Map(rows.map(({ span }, index) => [span, index]));
  const stopped = [...above.keys()].sort((a, b) => a.end - b.end || order.get(a)! - order.get(b)!);
  return stopped.map((span) => {
    const [parent, child] = [above.get(span), below.get(span)];
    const from =
      parent !== undefined && parent.end <= span.end + skewOf(span)
        ? parent
        : child !== undefined && child.end + skewOf(child) < span.end
          ? child
          : undefined;
    return { span, from, lag: from === undefined ? 0 : Math.max(0, span.end - from.end) };
  });
}

/** A span whose own deadline fired was not canceled by another, however close in time. */
function skewOf(span: ViewedSpan): number {
  return enderOf(span) === "deadline" ? 0 : SKEW;
}
