/** The filters of the list of traces, as text of the address. */
export interface Filters {
  readonly text?: string;
  readonly service?: string;
  readonly status?: string;
  readonly endedBy?: string;
  readonly min?: string;
  readonly max?: string;
}

export type Route =
  | { readonly page: "list"; readonly filters: Filters }
  | { readonly page: "trace"; readonly traceId: string; readonly spanId: string | undefined }
  | { readonly page: "graph" }
  | { readonly page: "compare"; readonly before: string; readonly after: string }
  | { readonly page: "unknown"; readonly path: string };

const FILTERS = ["text", "service", "status", "endedBy", "min", "max"] as const;

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

function isTraceId(text: string): boolean {
  return /^[\da-f]{32}$/i.test(text);
}
