/** How a program is set up for OpenTelemetry, and by whom it is instrumented. */
export interface Setup {
  readonly framework: "node:http" | "Express" | "Koa" | "fetch";
  readonly instrumentations: readonly ("http" | "express" | "koa")[];
  /** How the framework is loaded: instrumentations patch what is required; what is imported only with a hook, which nobody has here. */
  readonly loadedBy?: "import";
  /** The context manager that was set up: OpenTelemetry's own, unless one is named. */
  readonly manager?: "rewriting" | "none";
  /** Who makes the SERVER span and who measures the request, by the names of their scopes: we do, unless somebody is named. */
  readonly spanOf?: string;
  readonly measuredBy?: string;
}

export const OURS = "@throughline/http";
const HTTP = "@opentelemetry/instrumentation-http";
const byHttp = { spanOf: HTTP, measuredBy: HTTP };

/** The route that all applications have, and one request to it. */
export const ROUTE = "/shops/:shop/items/:id";
export const pathOf = (id: string): string => `/shops/lamps/items/${id}`;

export const setups: Readonly<Record<string, Setup>> = {
  "node:http, http instrumented": { framework: "node:http", instrumentations: ["http"], ...byHttp },
  "Express, http instrumented": { framework: "Express", instrumentations: ["http"], ...byHttp },
  "Express, http and Express instrumented": { framework: "Express", instrumentations: ["http", "express"], ...byHttp },
  "Koa, http instrumented": { framework: "Koa", instrumentations: ["http"], ...byHttp },
  "Koa, http and Koa instrumented": { framework: "Koa", instrumentations: ["http", "koa"], ...byHttp },
  "a fetch handler, http instrumented": { framework: "fetch", instrumentations: ["http"], ...byHttp },
  "Express, imported without a hook, http and Express instrumented": {
    framework: "Express",
    instrumentations: ["http", "express"],
    loadedBy: "import",
    ...byHttp,
  },
  "Express, imported, not instrumented": { framework: "Express", instrumentations: [], loadedBy: "import" },
  "Express, Express instrumented, http not": { framework: "Express", instrumentations: ["express"] },
  "Express, a SERVER span around it that no metadata tells of, contexts rewritten": {
    framework: "Express",
    instrumentations: [],
    manager: "rewriting",
    spanOf: "around",
  },
  "node:http, http instrumented, without a context manager": {
    framework: "node:http",
    instrumentations: ["http"],
    manager: "none",
    ...byHttp,
  },
  "Express, http and Express instrumented, without a context manager": {
    framework: "Express",
    instrumentations: ["http", "express"],
    manager: "none",
    ...byHttp,
  },
  "Koa, http instrumented, without a context manager": {
    framework: "Koa",
    instrumentations: ["http"],
    manager: "none",
    ...byHttp,
  },
  "a fetch handler, http instrumented, without a context manager": {
    framework: "fetch",
    instrumentations: ["http"],
    manager: "none",
    ...byHttp,
  },
  "Express, without a context manager": { framework: "Express", instrumentations: [], manager: "none" },
  "Koa, without a context manager": { framework: "Koa", instrumentations: [], manager: "none" },
};
