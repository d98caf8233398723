import type { TraceSummary } from "../api.ts";
import type { ViewedSpan } from "../span.ts";

/** @param spans at least one */
export function summarize(spans: readonly ViewedSpan[]): TraceSummary {
  const root = rootOf(spans);
  const { attributes } = root;
  let [start, end, failed] = [Infinity, -Infinity, false];
  for (const span of spans) {
    start = Math.min(start, span.start);
    end = Math.max(end, span.end);
    failed ||= span.failed;
  }
  const endedBy = attributes["throughline.ended_by"];
  return {
    traceId: root.traceId,
    name: root.name,
    service: root.service,
    services: [...new Set(spans.map(({ service }) => service))],
    start,
    duration: end - start,
    spans: spans.length,
    failed,
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
