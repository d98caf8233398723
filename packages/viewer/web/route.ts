/** The filters of the list of traces, as text of the address. */
export interface Filters {
  readonly text?: string;
  readonly service?: string;
  readonly status?: string;
  readonly endedBy?: string;
  readonly min?: string;
  readonly max?: string;
  /** Minutes before now, or two instants with `until`. */
  readonly last?: string;
  readonly since?: string;
  readonly until?: string;
  readonly sort?: string;
  /** `remote` for the server of the option `from`. */
  readonly source?: string;
}

export type Route =
  | { readonly page: "list"; readonly filters: Filters }
  | { readonly page: "trace"; readonly traceId: string; readonly spanId: string | undefined }
  | { readonly page: "graph" }
  | { readonly page: "deadlines"; readonly filters: Filters & { readonly route?: string } }
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

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const params = new URLSearchParams(query);
  const [, page = "", first = "", second = ""] = path.split("/");
  if (page === "") {
    const filters = FILTERS.flatMap((name) => (params.get(name) ? [[name, params.get(name)!]] : []));
    return { page: "list", filters: Object.fromEntries(filters) as Filters };
  }
  if (page === "trace" && isTraceId(first)) {
    return { page: "trace", traceId: first.toLowerCase(), spanId: params.get("span") ?? undefined };
  }
  if (page === "graph") return { page: "graph" };
  if (page === "deadlines") {
    return { page: "deadlines", filters: { last: params.get("last") ?? "", route: params.get("route") ?? "" } };
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

/** Formats the filters as a query string, for the address of the page and for the API. */
export function queryOf(filters: Filters): string {
  const given = FILTERS.flatMap((name) => (filters[name] ? [[name, filters[name]] as [string, string]] : []));
  return new URLSearchParams(given).toString();
}

/** Formats the filters for the API: minutes before now become an instant, whole minutes so that the path is steady. */
export function apiQuery({ last, source: _source, ...filters }: Filters, now: number): string {
  const minutes = Number(last);
  if (!(minutes > 0)) return queryOf(filters);
  return queryOf({ ...filters, since: String(Math.floor(now / 60_000 - minutes) * 60_000) });
}

function isTraceId(text: string): boolean {
  return /^[\da-f]{32}$/i.test(text);
}
