import type { DeadlineQuery, DeadlineReport, HopDeadlines, ServiceTime, WorkAfterEnd } from "../api.ts";
import { spanTree } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { cancelPath } from "./cancel-path.ts";
import { deadlineBands, originOf } from "./deadline-band.ts";
import { enderOf, rootRow } from "./span-facts.ts";
import { selfTimes } from "./span-times.ts";
import { firstDeadline } from "./story-facts.ts";

/** Milliseconds that a cancellation may take before work counts as done for no caller. */
const GRACE = 5;

/** Maximum number of rows in each table. */
const MAX_ROWS = 100;

interface Hop {
  requests: number;
  fired: number;
  cut: number;
  readonly budgets: number[];
  readonly used: number[];
}

/** Evaluates the deadlines of many traces. */
export function deadlineReport(traces: Iterable<readonly ViewedSpan[]>, query: DeadlineQuery): DeadlineReport {
  const { since = -Infinity, until = Infinity, route } = query;
  const hops = new Map<string, Hop>();
  const spent = new Map<string, number>();
  const late = new Map<string, { count: number; total: number; most: number }>();
  const routes = new Set<string>();
  const counts = { traces: 0, withDeadline: 0, exceeded: 0, clientLeft: 0 };
  for (const spans of traces) {
    const rows = spanTree(spans);
    const root = rootRow(rows)!.span;
    if (root.start < since || root.start > until) continue;
    routes.add(routeOf(root));
    if (route !== undefined && route !== routeOf(root)) continue;
    counts.traces += 1;
    const bands = deadlineBands(rows);
    if (bands.size > 0) {
      counts.withDeadline += 1;
      const times = selfTimes(rows);
      for (const { span } of rows) spent.set(span.service, (spent.get(span.service) ?? 0) + times.get(span.spanId)!);
    }
    for (const { span, budget, used, cut } of bands.values()) {
      // The budget of a call is that of the hop that it calls, unless the caller shortens it.
      if (span.kind === "client" && cut?.isReserve !== false) continue;
      const hop = hopOf(hops, span);
      hop.requests += 1;
      hop.budgets.push(budget);
      hop.used.push(used);
      if (cut?.isReserve === false) hop.cut += 1;
    }
    const first = firstDeadline({ rows, root, bands, steps: cancelPath(rows) });
    if (first !== undefined) {
      counts.exceeded += 1;
      hopOf(hops, originOf(first).span).fired += 1;
    }
    if (enderOf(root) !== "client") continue;
    counts.clientLeft += 1;
    for (const { span, after } of workAfter(
      rows.map((row) => row.span),
      root,
    )) {
      const key = JSON.stringify([span.service, span.name]);
      const work = late.get(key) ?? { count: 0, total: 0, most: 0 };
      late.set(key, { count: work.count + 1, total: work.total + after, most: Math.max(work.most, after) });
    }
  }
  return {
    ...counts,
    hops: hopRows(hops),
    spent: timeRows(spent),
    afterClientLeft: [...late]
      .map(([key, work]): WorkAfterEnd => ({ ...named(key), ...work }))
      .sort((a, b) => b.total - a.total)
      .slice(0, MAX_ROWS),
    routes: [...routes].sort().slice(0, 1000),
  };
}

function routeOf({ service, name }: ViewedSpan): string {
  return `${service} ${name}`;
}

function hopOf(hops: Map<string, Hop>, { service, name, attributes }: ViewedSpan): Hop {
  const key = JSON.stringify([service, name, attributes["throughline.deadline.source"]]);
  let hop = hops.get(key);
  if (hop === undefined) hops.set(key, (hop = { requests: 0, fired: 0, cut: 0, budgets: [], used: [] }));
  return hop;
}

function hopRows(hops: ReadonlyMap<string, Hop>): HopDeadlines[] {
  return [...hops]
    .map(([key, { requests, fired, cut, budgets, used }]): HopDeadlines => {
      const [, , source] = JSON.parse(key) as [string, string, string | null];
      return {
        ...named(key),
        source: source ?? undefined,
        requests,
        fired,
        cut,
        budgetP50: quantile(budgets, 0.5),
        usedP50: quantile(used, 0.5),
        usedP95: quantile(used, 0.95),
      };
    })
    .sort((a, b) => b.fired - a.fired || b.usedP95 - a.usedP95)
    .slice(0, MAX_ROWS);
}

function timeRows(spent: ReadonlyMap<string, number>): ServiceTime[] {
  const all = [...spent.values()].reduce((sum, ms) => sum + ms, 0);
  return [...spent]
    .map(([service, ms]): ServiceTime => ({ service, ms, share: all > 0 ? ms / all : 0 }))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, MAX_ROWS);
}

/** Returns the spans that went on after the root had ended; of each service only the first, which has the others in it. */
function workAfter(spans: readonly ViewedSpan[], root: ViewedSpan): { span: ViewedSpan; after: number }[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  return spans.flatMap((span) => {
    const above = span.parentSpanId === undefined ? undefined : byId.get(span.parentSpanId);
    if (span === root || span.kind === "client" || above?.service === span.service) return [];
    const after = span.end - Math.max(root.end, span.start);
    return after > GRACE ? [{ span, after }] : [];
  });
}

function named(key: string): { service: string; name: string } {
  const [service, name] = JSON.parse(key) as [string, string];
  return { service, name };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
