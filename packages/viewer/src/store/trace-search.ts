import type { TraceList, TraceQuery, TraceSort, TraceSummary } from "../api.ts";
import type { AttributeValue, ViewedSpan } from "../span.ts";
import type { TraceStore } from "./trace-store.ts";

const MAX_LIMIT = 1000;

/** Returns the traces that match a query, newest first if no other order is given. */
export function searchTraces(store: TraceStore, query: TraceQuery): TraceList {
  const { limit = 100, text = "", sort } = query;
  const traces: TraceSummary[] = [];
  const services = new Set<string>();
  const endings = new Set<string>();
  const mentions = textMatcher(text);
  for (const summary of store.summaries()) {
    for (const service of summary.services) services.add(service);
    if (summary.endedBy !== undefined) endings.add(summary.endedBy);
    if (!matches(summary, query)) continue;
    if (mentions !== undefined && !mentionsTrace(summary, text) && !store.has(summary.traceId, mentions)) continue;
    traces.push(summary);
  }
  return {
    traces: sortTraces(traces, sort).slice(0, Math.min(limit, MAX_LIMIT)),
    matching: traces.length,
    stored: store.size,
    dropped: store.dropped,
    services: [...services].sort(),
    endings: [...endings].sort(),
  };
}

/** Returns the traces in an order; in the given one if it is `undefined`. */
export function sortTraces(traces: readonly TraceSummary[], sort: TraceSort | undefined): readonly TraceSummary[] {
  return sort === undefined ? traces : traces.toSorted(ORDERS[sort]);
}

const ORDERS: Readonly<Record<TraceSort, (a: TraceSummary, b: TraceSummary) => number>> = {
  latest: (a, b) => b.start - a.start,
  longest: (a, b) => b.duration - a.duration,
  largest: (a, b) => b.spans - a.spans,
};

function matches(
  { services, duration, endedBy, status, failed, start }: TraceSummary,
  { service, min, max, endedBy: ending, status: wanted, since, until }: TraceQuery,
): boolean {
  return (
    (service === undefined || services.includes(service)) &&
    (ending === undefined || endedBy === ending) &&
    (min === undefined || duration >= min) &&
    (max === undefined || duration <= max) &&
    (since === undefined || start + duration >= since) &&
    (until === undefined || start <= until) &&
    (wanted === undefined || (wanted === "error" ? failed : matchesStatus(status, wanted)))
  );
}

/** @param wanted a status such as `504`, or a class such as `5xx` */
function matchesStatus(status: number | undefined, wanted: string): boolean {
  if (status === undefined) return false;
  return /^\dxx$/i.test(wanted) ? String(status)[0] === wanted[0] : String(status) === wanted;
}

function mentionsTrace({ traceId, name }: TraceSummary, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return traceId.startsWith(wanted) || name.toLowerCase().includes(wanted);
}

/** A condition `key=value` in a search text, and the text without it. */
export interface AttributeTerm {
  readonly attribute: { readonly key: string; readonly value: string } | undefined;
  readonly rest: string;
}

/** Splits a search text such as `http.route="/a b" timeout`. */
export function attributeTerm(text: string): AttributeTerm {
  const match = /(?:^|\s)([\w.-]+)=(?:"([^"]*)"|(\S+))/.exec(text);
  if (match === null) return { attribute: undefined, rest: text.trim() };
  const [all, key = "", quoted, plain = ""] = match;
  return { attribute: { key, value: quoted ?? plain }, rest: text.replace(all, " ").trim() };
}

/** Returns the predicate for a search text; `undefined` for an empty one. */
function textMatcher(text: string): ((span: ViewedSpan) => boolean) | undefined {
  const { attribute, rest } = attributeTerm(text);
  if (attribute === undefined && rest === "") return undefined;
  // A regular expression compares without a lower-case copy of each text.
  const pattern = new RegExp(rest.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
  return (span) =>
    (attribute === undefined || hasAttribute(span, attribute.key, attribute.value)) &&
    (rest === "" || mentionsSpan(span, pattern, rest));
}

function hasAttribute({ attributes, resource, events }: ViewedSpan, key: string, value: string): boolean {
  return (
    isEqual(attributes[key], value) ||
    isEqual(resource?.[key], value) ||
    (events?.some((event) => isEqual(event.attributes[key], value)) ?? false)
  );
}

function isEqual(value: AttributeValue | undefined, text: string): boolean {
  return value !== undefined && String(value).toLowerCase() === text.toLowerCase();
}

/** Looks at names, ids, status messages, attributes and exceptions. */
function mentionsSpan(span: ViewedSpan, pattern: RegExp, text: string): boolean {
  return (
    pattern.test(span.name) ||
    span.spanId === text.toLowerCase() ||
    (span.statusMessage !== undefined && pattern.test(span.statusMessage)) ||
    mentionsAttributes(span.attributes, pattern) ||
    (span.events?.some((event) => pattern.test(event.name) || mentionsAttributes(event.attributes, pattern)) ?? false)
  );
}

function mentionsAttributes(attributes: ViewedSpan["attributes"], pattern: RegExp): boolean {
  for (const key in attributes) {
    const value = attributes[key]!;
    if (typeof value === "string" ? pattern.test(value) : typeof value === "object" && pattern.test(String(value))) {
      return true;
    }
  }
  return false;
}
