/** A framework with OpenTelemetry's instrumentations. */
export interface Setup {
  readonly framework: "node:http" | "Express" | "Koa" | "fetch";
  readonly instrumentations: readonly ("http" | "express" | "koa")[];
  /**
   * How the framework is loaded. Instrumentations patch required modules, and imported ones only with a loader hook
   * (not used).
   */
  readonly loadedBy?: "import";
  /** The context manager. @default OpenTelemetry's */
  readonly manager?: "rewriting" | "none";
  /** The scope that makes the SERVER span, and the scope that measures the request. @default Throughline */
  readonly spanOf?: string;
  readonly measuredBy?: string;
}

export const OURS = "@throughline/http";
const HTTP = "@opentelemetry/instrumentation-http";
const byHttp = { spanOf: HTTP, measuredBy: HTTP };

/** The route of all applications, and the path of a request to it. */
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
  "Express, inside a SERVER span without metadata, with a context manager that rewrites contexts": {
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
