import type { TraceList, TraceQuery, TraceSummary } from "../api.ts";
import type { TraceStore } from "./trace-store.ts";

const MAX_LIMIT = 1000;

/** Returns the traces that match a query, newest first. */
export function searchTraces(store: TraceStore, query: TraceQuery): TraceList {
  const { limit = 100, text = "" } = query;
  const traces: TraceSummary[] = [];
  const services = new Set<string>();
  const endings = new Set<string>();
  let matching = 0;
  for (const summary of store.summaries()) {
    for (const service of summary.services) services.add(service);
    if (summary.endedBy !== undefined) endings.add(summary.endedBy);
    if (!matches(summary, query) || !mentions(store, summary, text.trim().toLowerCase())) continue;
    matching += 1;
    if (traces.length < Math.min(limit, MAX_LIMIT)) traces.push(summary);
  }
  return {
    traces,
    matching,
    stored: store.size,
    dropped: store.dropped,
    services: [...services].sort(),
    endings: [...endings].sort(),
  };
}

function matches(
  { services, duration, endedBy, status, failed }: TraceSummary,
  { service, min = 0, max = Infinity, endedBy: ending, status: wanted }: TraceQuery,
): boolean {
  return (
    (service === undefined || services.includes(service)) &&
    (ending === undefined || endedBy === ending) &&
    duration >= min &&
    duration <= max &&
    (wanted === undefined || (wanted === "error" ? failed : matchesStatus(status, wanted)))
  );
}

/** @param wanted a status such as `504`, or a class such as `5xx` */
function matchesStatus(status: number | undefined, wanted: string): boolean {
  if (status === undefined) return false;
  return /^\dxx$/i.test(wanted) ? String(status)[0] === wanted[0] : String(status) === wanted;
}

function mentions(store: TraceStore, { traceId, name }: TraceSummary, text: string): boolean {
  if (text === "" || traceId.startsWith(text) || name.toLowerCase().includes(text)) return true;
  return store.has(traceId, (span) => span.name.toLowerCase().includes(text));
}
