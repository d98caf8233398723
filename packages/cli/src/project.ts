import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, extname, join, relative, resolve } from "node:path";

export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly type?: string;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export interface SourceFile {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and without the contents of strings; positions are the same. */
  readonly code: string;
  /** The modules that it imports or requires. */
  readonly imports: ReadonlySet<string>;
}

export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** The real folder. */
  readonly folder: string;
}

export interface Project {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly sources: readonly SourceFile[];
  /** Every installed copy of packages of this library and of OpenTelemetry. */
  readonly installed: readonly InstalledPackage[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const EXTENSIONS = new Set([".cjs", ".cts", ".js", ".mjs", ".mts", ".ts"]);
const SKIPPED = /^(?:node_modules|dist|build|coverage|out|public|test|tests|__tests__|e2e|spec|\..*)$/;
const MAX_FILES = 5_000;
const MAX_BYTES = 1_000_000;

/**
 * Reads a project: its manifest, its sources without tests, its installed packages, and its environment.
 *
 * @throws Error if the folder has no package.json
 */
export function readProject(folder: string, env: NodeJS.ProcessEnv = process.env): Project {
  const root = resolve(folder);
  const file = join(root, "package.json");
  if (!existsSync(file)) throw new Error(`Cannot examine '${folder}': it must have a package.json`);
  return {
    folder: root,
    manifest: JSON.parse(readFileSync(file, "utf8")) as Manifest,
    sources: readSources(root),
    installed: readInstalled(root),
    env: { ...readDotenv(root), ...env },
  };
}

function readSources(root: string): SourceFile[] {
  const sources: SourceFile[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (sources.length >= MAX_FILES) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        // A folder with a package.json of its own is another project.
        if (!SKIPPED.test(entry.name) && !existsSync(join(path, "package.json"))) walk(path);
      } else if (EXTENSIONS.has(extname(entry.name)) && !/\.(?:test|spec|d)\.\w+$/.test(entry.name)) {
        if (statSync(path).size > MAX_BYTES) continue;
        const text = readFileSync(path, "utf8");
        sources.push({ path: relative(root, path), text, code: codeOf(text), imports: importsOf(text) });
      }
    }
  };
  walk(root);
  return sources;
}

/** Replaces comments and the contents of strings by spaces. Template literals stay: they contain code. */
export function codeOf(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\/|(?<![:\\])\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, (match) =>
    match.startsWith("/") ? match.replaceAll(/[^\n]/g, " ") : `"${" ".repeat(match.length - 2)}"`,
  );
}

function importsOf(text: string): Set<string> {
  const specifiers = text.matchAll(/\b(?:from|import|require)\b\s*\(?\s*["']([^"'\n]+)["']/g);
  return new Set([...specifiers].map((match) => match[1]!));
}

/** The line of a position. */
export function lineOf({ path, code }: SourceFile, index: number): string {
  return `${path}:${code.slice(0, index).split("\n").length}`;
}

function readInstalled(root: string): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  const seen = new Set<string>();
  const visitModules = (modules: string): void => {
    if (!existsSync(modules) || seen.has(realpathSync(modules))) return;
    seen.add(realpathSync(modules));
    for (const name of readdirSync(modules)) {
      if (name === ".pnpm") {
        for (const each of readdirSync(join(modules, name))) visitModules(join(modules, name, each, "node_modules"));
      } else if (name.startsWith("@")) {
        for (const each of readdirSync(join(modules, name))) visitPackage(join(modules, name, each), `${name}/${each}`);
      } else if (!name.startsWith(".")) {
        visitPackage(join(modules, name), name);
      }
    }
  };
  const visitPackage = (link: string, name: string): void => {
    if (!existsSync(join(link, "package.json"))) return;
    const folder = realpathSync(link);
    if (/^@(?:throughline|opentelemetry)\//.test(name) && !found.has(folder)) {
      const { version = "" } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
      found.set(folder, { name, version, folder });
    }
    visitModules(join(folder, "node_modules"));
  };
  // As Node resolves: here, and in every folder above, up to the root of the repository.
  for (let folder = root; ; folder = dirname(folder)) {
    visitModules(join(folder, "node_modules"));
    if (existsSync(join(folder, ".git")) || folder === dirname(folder)) break;
  }
  return [...found.values()];
}

function readDotenv(root: string): Record<string, string> {
  const file = join(root, ".env");
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, "utf8").matchAll(/^\s*(?:export\s+)?(\w+)\s*=\s*["']?([^"'\n]*?)["']?\s*$/gm);
  return Object.fromEntries([...lines].map((match) => [match[1]!, match[2]!]));
}

/** Whether the project depends on a package, for production or for development. */
export function dependsOn({ manifest }: Project, name: string): boolean {
  return name in { ...manifest.dependencies, ...manifest.devDependencies };
}

/** Whether a source imports a package or one of its subpaths. */
export function imports({ imports: modules }: SourceFile, name: string): boolean {
  return [...modules].some((each) => each === name || each.startsWith(`${name}/`));
}
