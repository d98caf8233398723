import type { Framework, Language } from "./service-options.ts";

/** What the services of a framework need. The packages of this repository have the version of this one. */
const DEPENDENCIES: Record<Framework, Record<string, string>> = {
  express: { "@throughline/express": "", express: "^5.1.0" },
  koa: { "@throughline/koa": "", koa: "^3.0.1" },
  hono: { "@hono/node-server": "^2.0.0", "@throughline/hono": "", hono: "^4.9.0" },
  nest: {
    "@nestjs/common": "^12.0.0",
    "@nestjs/core": "^12.0.0",
    "@nestjs/platform-express": "^12.0.0",
    "@throughline/nest": "",
    "reflect-metadata": "^0.2.2",
    rxjs: "^7.8.2",
  },
};

const SHARED = {
  "@opentelemetry/api": "^1.9.0",
  "@opentelemetry/sdk-node": ">=0.200.0",
  "@throughline/context": "",
  "@throughline/fetch": "",
  "@throughline/http": "",
  "@throughline/telemetry": "",
};

const TYPES: Record<Framework, Record<string, string>> = {
  express: { "@types/express": "^5.0.3" },
  koa: { "@types/koa": "^3.0.0" },
  hono: {},
  nest: {},
};

/** The `package.json` of a service. */
export function manifestOf(name: string, framework: Framework, language: Language, version: string): object {
  const isTypeScript = language === "typescript";
  // Decorators need a compiler; the other services run as they are.
  const isCompiled = framework === "nest";
  const extension = isTypeScript ? "ts" : "js";
  const run = isCompiled
    ? { build: "tsc", start: "tsc && node dist/main.js", test: "tsc && node --test dist/app.test.js" }
    : { start: `node src/main.${extension}`, test: `node --test src/app.test.${extension}` };
  const pinned = (wanted: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(wanted)
        .map(([each, range]): [string, string] => [each, range === "" ? version : range])
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  const types = isTypeScript ? { "@types/node": "^22.18.0", typescript: "^5.9.3", ...TYPES[framework] } : {};
  return {
    name,
    version: "0.0.0",
    private: true,
    type: "module",
    scripts: { ...run, ...(isTypeScript && { check: "tsc --noEmit" }), viewer: "throughline-viewer" },
    dependencies: pinned({ ...SHARED, ...DEPENDENCIES[framework] }),
    devDependencies: pinned({ "@throughline/viewer": "", ...types }),
    engines: { node: ">=22.18" },
  };
}

/** The `tsconfig.json` of a service. */
export function compilerOptionsOf(framework: Framework): object {
  return {
    compilerOptions: {
      target: "es2023",
      lib: ["es2023"],
      module: "nodenext",
      types: ["node"],
      strict: true,
      skipLibCheck: true,
      ...(framework === "nest"
        ? { rootDir: "src", outDir: "dist", rewriteRelativeImportExtensions: true, experimentalDecorators: true }
        : { noEmit: true, allowImportingTsExtensions: true, erasableSyntaxOnly: true, verbatimModuleSyntax: true }),
    },
    include: ["src"],
  };
}
