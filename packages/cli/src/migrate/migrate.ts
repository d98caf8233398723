import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";

import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import type { Node } from "oxc-parser";

import { migrateClsHooked } from "./cls-hooked.ts";
import { migrateClsRtracer } from "./cls-rtracer.ts";
import { EditedFile, type MigratedFile, type Refusal } from "./edited-file.ts";
import { migrateExpressHttpContext } from "./express-http-context.ts";
import { RequestKeys } from "./request-keys.ts";

export interface MigrateOptions {
  /** Where the module with the keys is; by default `request-keys`, in the first folder. */
  keys?: string;
  /** Also writes if some files cannot be rewritten; those are left as they are. */
  partial?: boolean;
  /** Writes nothing. */
  dryRun?: boolean;
}

export interface Migration {
  /** The changes, as a unified diff. */
  readonly diff: string;
  /** The places that cannot be rewritten. */
  readonly refusals: readonly Refusal[];
  /** What the user has to do by hand. */
  readonly notes: readonly string[];
  /** The files that were written. */
  readonly written: readonly string[];
}

const MIGRATIONS: Readonly<Record<string, (file: EditedFile, keys: RequestKeys) => MigratedFile>> = {
  "cls-hooked": migrateClsHooked,
  "cls-rtracer": migrateClsRtracer,
  "express-http-context": migrateExpressHttpContext,
};

const EXTENSIONS = new Set([".cjs", ".cts", ".js", ".jsx", ".mjs", ".mts", ".ts", ".tsx"]);
const SKIPPED = /^(?:node_modules|dist|build|coverage|out|\..*)$/;

/**
 * Rewrites uses of a library. Writes nothing if a place cannot be rewritten, unless `partial` is set.
 *
 * @throws Error if the library is not known, or a path does not exist
 */
export function migrate(library: string, paths: readonly string[], options: MigrateOptions = {}): Migration {
  const migrateFile = Object.hasOwn(MIGRATIONS, library) ? MIGRATIONS[library] : undefined;
  if (migrateFile === undefined) {
    const names = Object.keys(MIGRATIONS).join(", ");
    throw new Error(`Cannot migrate: the library must be one of ${names}; received '${library}'`);
  }
  for (const path of paths) {
    if (!existsSync(path)) throw new Error(`Cannot migrate: the path must exist; received '${path}'`);
  }
  const [first = "."] = paths;
  const folder = statSync(first).isDirectory() ? first : dirname(first);
  const read = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, "utf8") : undefined);
  const keys = new RequestKeys(folder, options.keys, read);

  const refusals: Refusal[] = [];
  const notes = new Set<string>();
  const rewritten: { file: EditedFile; statements: readonly Node[] }[] = [];
  let namespace: string | undefined;
  for (const path of new Set((paths.length === 0 ? ["."] : paths).flatMap(sourcesIn))) {
    const text = readFileSync(path, "utf8");
    if (!text.includes(library)) continue;
    const file = new EditedFile(path, text);
    const result: MigratedFile = file.refusals.length > 0 ? { statements: [] } : migrateFile(file, keys);
    if (result.statements.length === 0 && file.refusals.length === 0) continue;
    if (result.namespace !== undefined) {
      namespace ??= result.namespace;
      if (namespace !== result.namespace) {
        file.refuse(result.statements[0]!, `it uses the namespace '${result.namespace}', and others '${namespace}'`);
      }
    }
    if (file.refusals.length > 0) refusals.push(...file.refusals);
    else {
      rewritten.push({ file, statements: result.statements });
      if (result.note !== undefined) notes.add(result.note);
    }
  }

  const changes = rewritten.map(({ file, statements }) => {
    file.replaceImports(statements, keys.specifierFor(file));
    return { path: file.path, before: file.text, after: file.output };
  });
  if (keys.isUsed) changes.push({ path: keys.path, ...keys.text });
  const isWritten = options.dryRun !== true && (refusals.length === 0 || options.partial === true);
  if (isWritten) for (const { path, after } of changes) writeFileSync(path, after);
  const headers = { headerOptions: FILE_HEADERS_ONLY };
  const diffs = changes.map(({ path, before, after }) =>
    createTwoFilesPatch(path, path, before, after, undefined, undefined, headers),
  );
  return {
    diff: diffs.join(""),
    refusals,
    notes: [...notes],
    written: isWritten ? changes.map(({ path }) => path) : [],
  };
}

/** A file itself, or the sources in a folder. */
function sourcesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const each = join(path, entry.name);
      if (entry.isDirectory()) return SKIPPED.test(entry.name) ? [] : sourcesIn(each);
      return EXTENSIONS.has(extname(entry.name)) && !/\.d\.[cm]?ts$/.test(entry.name) ? [each] : [];
    });
}
