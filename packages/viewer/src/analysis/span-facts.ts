import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";

/** Milliseconds that were left when the request arrived, or was sent. */
export function budgetOf({ attributes }: ViewedSpan): number | undefined {
  const value = attributes["throughline.deadline.budget_ms"];
  return typeof value === "number" ? value : undefined;
}

export function sourceOf({ attributes }: ViewedSpan): string | undefined {
  const value = attributes["throughline.deadline.source"];
  return typeof value === "string" ? value : undefined;
}

export function enderOf({ attributes }: ViewedSpan): string | undefined {
  const value = attributes["throughline.ended_by"];
  return typeof value === "string" ? value : undefined;
}

export function statusOf({ attributes }: ViewedSpan): number | undefined {
  // The second is what conventions before 1.20 called it.
  const value = attributes["http.response.status_code"] ?? attributes["http.status_code"];
  return typeof value === "number" ? value : undefined;
}

export function errorTypeOf({ attributes }: ViewedSpan): string | undefined {
  const value = attributes["error.type"];
  return typeof value === "string" ? value : undefined;
}

/** The request as it came in: the first that has no parent at all, or else the first of those whose parent is not here. */
export function rootRow(rows: readonly TreeRow[]): TreeRow | undefined {
  return rows.find(({ span, depth }) => depth === 0 && span.parentSpanId === undefined) ?? rows[0];
}

/** Ended before its work was done, by somebody's clock or by somebody who left. */
export function isStopped(span: ViewedSpan): boolean {
  const by = enderOf(span);
  return by === "deadline" || by === "client" || by === "cancel";
}
