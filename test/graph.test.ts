import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

import { describe, expect, it } from "vitest";

/** The packages that each package may import. */
const ALLOWED: Record<string, readonly string[]> = {
  context: [],
  http: ["context", "resilience"],
  drivers: ["context", "http", "resilience"],
  express: ["context", "http"],
  koa: ["context", "http"],
  fastify: ["context", "http"],
  hono: ["context", "fetch", "http"],
  nest: ["context", "fastify", "http"],
  fetch: ["context", "http", "resilience"],
  grpc: ["context", "http"],
  messages: ["context", "http", "resilience"],
  resilience: ["context"],
  identity: ["context", "http", "resilience"],
  telemetry: ["context"],
  testing: ["context", "fetch", "http", "identity"],
  viewer: [],
  "eslint-plugin": [],
  cli: [],
  "create-throughline": [],
  observe: ["context", "http"],
};

const packages = readdirSync("packages");

function manifest(name: string): {
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, object>;
  version: string;
  engines: { node: string };
  exports: object;
} {
  return JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8"));
}

/** The npm packages that the files of a package import, without tests and fuzz subjects. */
function imported(name: string): string[] {
  const files = readdirSync(`packages/${name}/src`, { recursive: true, encoding: "utf8" }).filter((file) =>
    /(?<!\.(?:test|fuzz))\.ts$/.test(file),
  );
  const sources = files.map((file) => readFileSync(`packages/${name}/src/${file}`, "utf8")).join("\n");
  const specifiers = [
    ...sources.matchAll(/^(?:import|export)\s[^;]*?from "([^."][^"]*)";$|^import "([^."][^"]*)";$/gm),
  ].map((match) => match[1] ?? match[2]!);
  return [
    ...new Set(
      specifiers
        .filter((each) => !each.startsWith("node:"))
        .map((each) =>
          each
            .split("/")
            .slice(0, each.startsWith("@") ? 2 : 1)
            .join("/"),
        ),
    ),
  ];
}

it("ALLOWED lists every package", () => {
  expect(packages.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
});

describe.each(packages)("%s", (name) => {
  it("imports only the packages that ALLOWED lists", () => {
    const siblings = imported(name)
      .filter((each) => each.startsWith("@throughline/"))
      .map((each) => each.slice("@throughline/".length));
    expect(siblings.filter((each) => !ALLOWED[name]!.includes(each))).toEqual([]);
  });

  it("declares exactly the dependencies that it imports", () => {
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifest(name);
    const declared = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
    // Adapters use only the types of their hosts. Every package with a Context needs the API as a peer.
    const byShape = new Set(["express", "koa", "@opentelemetry/api", ...Object.keys(peerDependenciesMeta)]);
    expect(imported(name).filter((each) => !declared.includes(each))).toEqual([]);
    expect(declared.filter((each) => !imported(name).includes(each) && !byShape.has(each))).toEqual([]);
  });

  it("has the version of the repository, and depends on that version of its siblings", () => {
    const { version } = JSON.parse(readFileSync("lerna.json", "utf8")) as { version: string };
    const { dependencies = {} } = manifest(name);
    expect(manifest(name).version).toBe(version);
    expect(
      Object.entries(dependencies).filter(([each, range]) => each.startsWith("@throughline/") && range !== version),
    ).toEqual([]);
  });

  it("requires the lowest Node that the tests run on", () => {
    const matrix = JSON.parse(readFileSync("test/matrix/package.json", "utf8")) as {
      optionalDependencies: { "lowest-node": string };
    };
    const [, lowest] = /@(\d+\.\d+)\.\d+$/.exec(matrix.optionalDependencies["lowest-node"])!;
    expect(manifest(name).engines.node).toBe(`>=${lowest}`);
  });

  it("has an index.ts with named exports only", () => {
    const index = readFileSync(`packages/${name}/src/index.ts`, "utf8");
    expect(index).not.toMatch(/export \*|export default/);
    expect(index.replaceAll(/\/\/.*|export (?:type )?\{[^}]*\} from "[^"]+";/g, "").trim()).toBe("");
  });
});

/** The folders of a package, each with the folders that it may import. Files outside of the folders may import all. */
const LAYERS: Record<string, Record<string, readonly string[]>> = {
  http: {
    wire: [],
    observe: ["wire"],
    telemetry: ["wire", "observe"],
    server: ["wire", "observe", "telemetry"],
    client: ["wire", "observe", "telemetry"],
    node: ["wire", "observe", "telemetry", "server"],
  },
};

/** The files of a package, without tests and fuzz subjects, with the files of the package that each imports. */
function filesOf(name: string): Map<string, string[]> {
  const root = `packages/${name}/src`;
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
    /(?<!\.(?:test|fuzz))\.ts$/.test(file),
  );
  const importsOf = (file: string): string[] =>
    [...readFileSync(`${root}/${file}`, "utf8").matchAll(/^(?:import|export)\s[^;]*?from "(\.[^"]+)";$/gm)].map(
      ([, specifier]) => normalize(join(dirname(file), specifier!)),
    );
  return new Map(files.map((file) => [file, importsOf(file)]));
}

/** The circles of imports, each as a list of files. */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start !== -1) return void circles.push([...path.slice(start), file]);
    if (done.has(file)) return;
    for (const each of imports.get(file) ?? []) visit(each, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return circles;
}

it("circlesOf finds a circle", () => {
  const imports = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["b"]],
  ]);
  expect(circlesOf(imports)).toEqual([["b", "c", "b"]]);
});

it.each(packages)("no files of %s import each other in a circle", (name) => {
  expect(circlesOf(filesOf(name))).toEqual([]);
});

it.each(Object.entries(LAYERS))("the folders of %s import only folders below them", (name, layers) => {
  const files = filesOf(name);
  const folders = new Set([...files.keys()].filter((file) => file.includes("/")).map((file) => file.split("/")[0]!));
  expect([...folders].toSorted()).toEqual(Object.keys(layers).toSorted());
  const wrong = [...files].flatMap(([file, imports]) => {
    const folder = file.includes("/") ? file.split("/")[0]! : undefined;
    if (folder === undefined) return [];
    const allowed = new Set([folder, ...layers[folder]!]);
    return imports.filter((each) => !allowed.has(each.split("/")[0]!)).map((each) => `${file} -> ${each}`);
  });
  expect(wrong).toEqual([]);
});

it("the only peer dependency of context is the API of OpenTelemetry", () => {
  expect(Object.keys(manifest("context").peerDependencies!)).toEqual(["@opentelemetry/api"]);
});

/** The folders of `test`, each with the folders that it may import. Files outside of the folders may import all. */
const TEST_LAYERS: Record<string, readonly string[]> = {
  support: [],
  fuzz: [],
  hosts: ["support"],
  conformance: ["support", "hosts"],
  drivers: ["support"],
  messages: ["support"],
  migrate: ["support"],
  leaks: ["support", "hosts"],
  instrumented: ["support"],
  storefront: ["support"],
  tools: ["support"],
  soak: ["support"],
  process: [],
  publishing: [],
  testing: [],
  types: [],
  edge: [],
  recipes: [],
  viewer: [],
  interop: [],
  vectors: ["support"],
  matrix: [],
};

/** The source files below a folder. */
function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(?:ts|tsx|mjs)$/.test(file) && !/(?:^|\/)(?:node_modules|dist|\.\w+)\//.test(file))
    .map((file) => join(folder, file));
}

/** The relative imports of a file, static and dynamic, as paths from the root of the repository. */
function relativeImports(file: string): string[] {
  const specifiers = readFileSync(file, "utf8").matchAll(/(?:\bfrom |\bimport |\bimport\()"(\.[^"]+)"/g);
  return [...specifiers].map(([, specifier]) => normalize(join(dirname(file), specifier!)));
}

it("the folders of test import only the folders that TEST_LAYERS lists", () => {
  const wrong: string[] = [];
  const folders = new Set<string>();
  for (const file of sourcesIn("test")) {
    const [, folder, ...rest] = file.split("/");
    if (rest.length === 0) continue;
    folders.add(folder!);
    const allowed = new Set([folder, ...(TEST_LAYERS[folder!] ?? [])]);
    for (const imported of relativeImports(file)) {
      if (!allowed.has(imported.split("/")[1])) wrong.push(`${file} -> ${imported}`);
    }
  }
  expect(wrong).toEqual([]);
  expect([...folders].toSorted()).toEqual(Object.keys(TEST_LAYERS).toSorted());
});

it.each(["test", "bench", "examples"])("no file of %s imports from packages by a relative path", (folder) => {
  const wrong = sourcesIn(folder).flatMap((file) =>
    relativeImports(file)
      .filter((imported) => imported.startsWith("packages/"))
      .map((imported) => `${file} -> ${imported}`),
  );
  expect(wrong).toEqual([]);
});

it.each(packages)("no file of %s imports files outside of the package by a relative path", (name) => {
  const root = `packages/${name}`;
  const wrong = sourcesIn(`${root}/src`).flatMap((file) =>
    relativeImports(file)
      .filter((imported) => !imported.startsWith(`${root}/`))
      .map((imported) => `${file} -> ${imported}`),
  );
  expect(wrong).toEqual([]);
});
