import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

import { describe, expect, it } from "vitest";

/** Which package may depend on which, as the design draws it: downwards only. */
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
  resilience: ["context"],
  identity: ["context", "http", "resilience"],
  telemetry: ["context"],
  viewer: [],
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

/** The packages that a package's own files import, tests left out. */
function imported(name: string): string[] {
  const files = readdirSync(`packages/${name}/src`, { recursive: true, encoding: "utf8" }).filter((file) =>
    /(?<!\.test)\.ts$/.test(file),
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

it("knows every package", () => {
  expect(packages.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
});

describe.each(packages)("%s", (name) => {
  it("imports only packages below it", () => {
    const siblings = imported(name)
      .filter((each) => each.startsWith("@throughline/"))
      .map((each) => each.slice("@throughline/".length));
    expect(siblings.filter((each) => !ALLOWED[name]!.includes(each))).toEqual([]);
  });

  it("declares what it imports, and nothing else", () => {
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifest(name);
    const declared = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
    // Hosts are peers that adapters fit by shape: none of their code is imported. The API goes with every package on a Context.
    const byShape = new Set(["express", "koa", "@opentelemetry/api", ...Object.keys(peerDependenciesMeta)]);
    expect(imported(name).filter((each) => !declared.includes(each))).toEqual([]);
    expect(declared.filter((each) => !imported(name).includes(each) && !byShape.has(each))).toEqual([]);
  });

  it("has the one version, and asks siblings for just that", () => {
    const { version } = JSON.parse(readFileSync("lerna.json", "utf8")) as { version: string };
    const { dependencies = {} } = manifest(name);
    expect(manifest(name).version).toBe(version);
    expect(
      Object.entries(dependencies).filter(([each, range]) => each.startsWith("@throughline/") && range !== version),
    ).toEqual([]);
  });

  it("promises the lowest Node that the tests run on", () => {
    const matrix = JSON.parse(readFileSync("test/matrix/package.json", "utf8")) as {
      optionalDependencies: { "lowest-node": string };
    };
    const [, lowest] = /@(\d+\.\d+)\.\d+$/.exec(matrix.optionalDependencies["lowest-node"])!;
    expect(manifest(name).engines.node).toBe(`>=${lowest}`);
  });

  it("has a table of contents of named exports", () => {
    const index = readFileSync(`packages/${name}/src/index.ts`, "utf8");
    expect(index).not.toMatch(/export \*|export default/);
    expect(index.replaceAll(/\/\/.*|export (?:type )?\{[^}]*\} from "[^"]+";/g, "").trim()).toBe("");
  });
});

/** The folders of a package, each with the folders that its files may import; files beside them may import all. */
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

/** The files of a package, tests left out, with the files of the same package that each imports, types included. */
function filesOf(name: string): Map<string, string[]> {
  const root = `packages/${name}/src`;
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
    /(?<!\.test)\.ts$/.test(file),
  );
  const importsOf = (file: string): string[] =>
    [...readFileSync(`${root}/${file}`, "utf8").matchAll(/^(?:import|export)\s[^;]*?from "(\.[^"]+)";$/gm)].map(
      ([, specifier]) => normalize(join(dirname(file), specifier!)),
    );
  return new Map(files.map((file) => [file, importsOf(file)]));
}

/** Files that import each other, directly or through others, as one list for each circle that is found. */
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

it("finds a circle of files", () => {
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

it("the context asks its user for OpenTelemetry's API, and for nothing else", () => {
  expect(Object.keys(manifest("context").peerDependencies!)).toEqual(["@opentelemetry/api"]);
});
