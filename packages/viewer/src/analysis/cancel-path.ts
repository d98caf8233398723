import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { enderOf, isStopped } from "./span-facts.ts";

/** A span that was stopped, and what stopped before it. */
export interface CancelStep {
  readonly span: ViewedSpan;
  /** The step that this one follows; none for a first. */
  readonly from: ViewedSpan | undefined;
  /** Milliseconds from the end of that one to the end of this. */
  readonly lag: number;
}

/** Clocks of two machines may differ by this, and what follows seem to come first. */
const SKEW = 1;

/**
 * The way of a cancellation through the hops, in order of time. It comes from above: from the nearest span above that stopped no later.
 * Where a clock fired deep down, it goes up: from the first that stopped below. What has neither has stopped of its own accord.
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

/** What its own clock has stopped followed nobody, however close it was. */
function skewOf(span: ViewedSpan): number {
  return enderOf(span) === "deadline" ? 0 : SKEW;
}
