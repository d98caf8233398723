import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { budgetOf, sourceOf } from "./span-facts.ts";

/** The time granted to a hop. */
export interface DeadlineBand {
  readonly span: ViewedSpan;
  readonly budget: number;
  /** The deadline in milliseconds since the epoch, by the clock of the span's machine. */
  readonly at: number;
  /** The used share of the budget: above 1 if the span ended after its deadline. */
  readonly used: number;
  readonly source: string | undefined;
  readonly above: DeadlineBand | undefined;
  readonly cut: BudgetCut | undefined;
}

/** A reduction of the budget: a hop got less than its ancestor had left. */
export interface BudgetCut {
  /** Milliseconds that the ancestor had left. */
  readonly from: number;
  readonly to: number;
  /** The source of the shorter deadline, or the service that reserves a part when it calls. */
  readonly by: string;
  /** Whether the cut is so small that the caller reserves it for its own answer. The deadline counts as the same. */
  readonly isReserve: boolean;
}

/** Milliseconds for the network and for rounding: deadlines are sent in whole milliseconds. */
const MARGIN = 2;
/** A reserve is at most this many milliseconds, or this share of the time left. */
const RESERVE = 30;
const RESERVE_SHARE = 0.1;

/**
 * Returns the bands of all spans with a budget, by span id.
 *
 * @param rows parents before children
 */
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
 * Compares the instants and the amounts. If the clocks of two machines differ, only the instants differ, and nothing
 * was cut.
 */
function cutOf(span: ViewedSpan, budget: number, above: DeadlineBand | undefined): BudgetCut | undefined {
  if (above === undefined) return undefined;
  const from = above.at - span.start;
  if (budget > from - MARGIN || budget > above.budget - MARGIN) return undefined;
  const isReserve = span.kind === "client" && from - budget <= Math.max(RESERVE, from * RESERVE_SHARE);
  return { from, to: budget, by: sourceOf(span) ?? span.service, isReserve };
}

/**
 * Returns the hop that set the effective deadline: the nearest ancestor that was cut, or else the first with a budget.
 */
export function originOf(band: DeadlineBand): DeadlineBand {
  let origin = band;
  while ((origin.cut?.isReserve ?? true) && origin.above !== undefined) origin = origin.above;
  return origin;
}
