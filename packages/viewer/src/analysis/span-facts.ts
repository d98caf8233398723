import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";

/** Milliseconds left when the request arrived or was sent. */
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
  // `http.status_code` is the name before version 1.20 of the semantic conventions.
  const value = attributes["http.response.status_code"] ?? attributes["http.status_code"];
  return typeof value === "number" ? value : undefined;
}

export function errorTypeOf({ attributes }: ViewedSpan): string | undefined {
  const value = attributes["error.type"];
  return typeof value === "string" ? value : undefined;
}

/** Returns the first span without a parent, or else the first whose parent is unknown. */
export function rootRow(rows: readonly TreeRow[]): TreeRow | undefined {
  return rows.find(({ span, depth }) => depth === 0 && span.parentSpanId === undefined) ?? rows[0];
}

/** Returns whether the span ended before its work was done: by a deadline, a disconnect or a cancellation. */
export function isStopped(span: ViewedSpan): boolean {
  const by = enderOf(span);
  return by === "deadline" || by === "client" || by === "cancel";
}
