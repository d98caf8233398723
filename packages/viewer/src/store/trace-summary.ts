import type { TraceSummary } from "../api.ts";
import { durationOf, type ViewedSpan } from "../span.ts";

/**
 * @param spans at least one
 * @param dropped number of spans of the trace that are not stored any more
 */
export function summarize(spans: readonly ViewedSpan[], dropped = 0): TraceSummary {
  const root = rootOf(spans);
  const { attributes } = root;
  let [start, end, failed] = [Infinity, -Infinity, false];
  for (const span of spans) {
    start = Math.min(start, span.start);
    // A span may end before it starts if its clock was set back.
    end = Math.max(end, span.start, span.end);
    failed ||= span.failed;
  }
  const duration = spans.length === 1 ? Math.max(0, durationOf(root)) : end - start;
  const endedBy = attributes["throughline.ended_by"];
  return {
    traceId: root.traceId,
    name: root.name,
    service: root.service,
    services: [...new Set(spans.map(({ service }) => service))],
    start,
    duration,
    spans: spans.length,
    failed,
    ...(dropped > 0 ? { dropped } : undefined),
    ...(root.isUnfinished === true ? { isUnfinished: true as const } : undefined),
    status: numberIn(attributes["http.response.status_code"]),
    endedBy: typeof endedBy === "string" ? endedBy : undefined,
    budget: numberIn(attributes["throughline.deadline.budget_ms"]),
  };
}

/** Prefers a span without a parent to one with an unknown parent, and the earliest of equals. */
function rootOf(spans: readonly ViewedSpan[]): ViewedSpan {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const rank = ({ parentSpanId }: ViewedSpan): number =>
    parentSpanId === undefined ? 0 : known.has(parentSpanId) ? 2 : 1;
  return spans.reduce((best, span) => {
    const difference = rank(span) - rank(best);
    return difference < 0 || (difference === 0 && span.start < best.start) ? span : best;
  });
}

function numberIn(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
