import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { budgetOf, sourceOf } from "./span-facts.ts";

/** The time that a hop was given. */
export interface DeadlineBand {
  readonly span: ViewedSpan;
  readonly budget: number;
  /** The instant of the deadline, in milliseconds since the epoch as seen by the clock of the span. */
  readonly at: number;
  /** How much of the budget was used: more than 1 if it went on after its deadline. */
  readonly used: number;
  readonly source: string | undefined;
  readonly above: DeadlineBand | undefined;
  readonly cut: BudgetCut | undefined;
}

/** A hop that got less than what was left above it. */
export interface BudgetCut {
  /** What would have been left. */
  readonly from: number;
  readonly to: number;
  /** Who took the rest away: the source of the deadline, or the service that keeps something back when it sends. */
  readonly by: string;
  /** So little that it is what a caller keeps for itself, to answer with: still the same deadline. */
  readonly isReserve: boolean;
}

/** Less than this is the way, and the rounding of what is sent in whole milliseconds. */
const MARGIN = 2;
/** What a caller may keep for itself: this much, or this share of what is left. */
const RESERVE = 30;
const RESERVE_SHARE = 0.1;

/** The bands of all spans that carry a budget, by id of the span. Rows come with parents before children. */
export function deadlineBands(rows: readonly TreeRow[]): ReadonlyMap<string, DeadlineBand> {
  const bands = new Map<string, DeadlineBand>();
  const path: (DeadlineBand | undefined)[] = [];
  for (const { span, depth } of rows) {
    const above = depth === 0 ? undefined : path[depth - 1];
    const budget = budgetOf(span);
    if (budget === undefined) {
      path[depth] = above;
      continue;
    }
    const at = span.start + budget;
    const used = budget > 0 ? (span.end - span.start) / budget : 1;
    const band = { span, budget, at, used, source: sourceOf(span), above, cut: cutOf(span, budget, above) };
    path[depth] = band;
    bands.set(span.spanId, band);
  }
  return bands;
}

/**
 * Both by the instant and by the amount: clocks of two machines differ, and then the instants do while what was sent and what arrived
 * are the same.
 */
function cutOf(span: ViewedSpan, budget: number, above: DeadlineBand | undefined): BudgetCut | undefined {
  if (above === undefined) return undefined;
  const from = above.at - span.start;
  if (budget > from - MARGIN || budget > above.budget - MARGIN) return undefined;
  const isReserve = span.kind === "client" && from - budget <= Math.max(RESERVE, from * RESERVE_SHARE);
  return { from, to: budget, by: sourceOf(span) ?? span.service, isReserve };
}

/** Where the deadline that holds for a span was set: at the nearest hop above that was cut, or where it all began. */
export function originOf(band: DeadlineBand): DeadlineBand {
  let origin = band;
  while ((origin.cut?.isReserve ?? true) && origin.above !== undefined) origin = origin.above;
  return origin;
}
