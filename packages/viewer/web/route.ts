/** The filters of the list of traces, as text of the address. */
export interface Filters {
  readonly text?: string;
  readonly service?: string;
  readonly status?: string;
  readonly endedBy?: string;
  readonly min?: string;
  readonly max?: string;
  /** Minutes before now. Without it, `since` and `until` apply. */
  readonly last?: string;
  /** An instant, as ISO 8601 or as milliseconds since the epoch. */
  readonly since?: string;
  readonly until?: string;
  readonly sort?: string;
  /** `remote` for the server of the option `from`. */
  readonly source?: string;
}

/** The filters of the deadlines of many traces. */
export interface DeadlineFilters extends Pick<Filters, "service" | "last" | "since" | "until" | "source"> {
  /** Service and name of the root span. */
  readonly route?: string;
  /** Maximum number of traces of another server. */
  readonly limit?: string;
}

export type Route =
  | { readonly page: "list"; readonly filters: Filters }
  | { readonly page: "trace"; readonly traceId: string; readonly spanId: string | undefined }
  | { readonly page: "graph" }
  | { readonly page: "deadlines"; readonly filters: DeadlineFilters }
  | { readonly page: "compare"; readonly before: string; readonly after: string }
  | { readonly page: "unknown"; readonly path: string };

const FILTERS = [
  "text",
  "service",
  "status",
  "endedBy",
  "min",
  "max",
  "last",
  "since",
  "until",
  "sort",
  "source",
] as const;

const DEADLINE_FILTERS = ["last", "since", "until", "service", "route", "source", "limit"] as const;

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const params = new URLSearchParams(query);
  const [, page = "", first = "", second = ""] = path.split("/");
  if (page === "") {
    return { page: "list", filters: given(FILTERS, (name) => params.get(name)) };
  }
  if (page === "trace" && isTraceId(first)) {
    return { page: "trace", traceId: first.toLowerCase(), spanId: params.get("span") ?? undefined };
  }
  if (page === "graph") return { page: "graph" };
  if (page === "deadlines") {
    return { page: "deadlines", filters: given(DEADLINE_FILTERS, (name) => params.get(name)) };
  }
  if (page === "compare" && isTraceId(first) && isTraceId(second)) {
    return { page: "compare", before: first.toLowerCase(), after: second.toLowerCase() };
  }
  return { page: "unknown", path };
}

export function listLink(filters: Filters): string {
  const query = queryOf(filters);
  return query === "" ? "#/" : `#/?${query}`;
}

export function traceLink(traceId: string, spanId?: string): string {
  return spanId === undefined ? `#/trace/${traceId}` : `#/trace/${traceId}?span=${encodeURIComponent(spanId)}`;
}

export function compareLink(before: string, after: string): string {
  return `#/compare/${before}/${after}`;
}

export function deadlinesLink(filters: DeadlineFilters): string {
  const query = new URLSearchParams(given(DEADLINE_FILTERS, (name) => filters[name])).toString();
  return query === "" ? "#/deadlines" : `#/deadlines?${query}`;
}

/** Formats the filters as a query string, for the address of the page and for the API. */
export function queryOf(filters: Filters): string {
  return new URLSearchParams(given(FILTERS, (name) => filters[name])).toString();
}

/** Formats the filters of the list for the API. */
export function apiQuery({ source: _source, ...filters }: Filters, now: number): string {
  return queryOf({ ...filters, ...apiTime(filters, now) });
}

/** Formats the filters of the deadlines for the API. */
export function deadlinesApiQuery({ source: _source, ...filters }: DeadlineFilters, now: number): string {
  const all: DeadlineFilters = { ...filters, ...apiTime(filters, now) };
  return new URLSearchParams(given(DEADLINE_FILTERS, (name) => all[name])).toString();
}

/** The API takes milliseconds. Minutes before now become an instant, whole minutes so that the path is steady. */
function apiTime({ last, since, until }: Filters, now: number): Pick<Filters, "last" | "since" | "until"> {
  const minutes = Number(last);
  if (minutes > 0) return { last: "", since: String(Math.floor(now / 60_000 - minutes) * 60_000), until: "" };
  return { last: "", since: apiInstant(since), until: apiInstant(until) };
}

/** The API names an instant that is invalid in its error. */
function apiInstant(text = ""): string {
  const instant = instantOf(text);
  return instant === undefined ? text : String(instant);
}

/** Parses an instant of the address. Returns `undefined` if it is invalid. */
export function instantOf(text = ""): number | undefined {
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Returns the filters that have a value. */
function given<Name extends string>(
  names: readonly Name[],
  valueOf: (name: Name) => string | null | undefined,
): Partial<Record<Name, string>> {
  const all: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value = valueOf(name);
    if (value) all[name] = value;
  }
  return all;
}

function isTraceId(text: string): boolean {
  return /^[\da-f]{32}$/i.test(text);
}
