import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import ts from "typescript";

import { ROOT } from "../pages.ts";

/** Packages whose exports others export too; theirs come first, so that each is listed by its own package. */
const FIRST = ["context", "resilience", "http"];

function rank(folder: string): number {
  const index = FIRST.indexOf(folder);
  return index === -1 ? FIRST.length : index;
}

/** The public entry points of the packages: the name that users import, and its source. */
export function entryPoints(): { readonly name: string; readonly source: string }[] {
  return readdirSync(join(ROOT, "packages"))
    .toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .flatMap((folder) => {
      const { name, exports = {} } = JSON.parse(
        readFileSync(join(ROOT, "packages", folder, "package.json"), "utf8"),
      ) as { name: string; exports?: Record<string, { import?: { types?: string } }> };
      return Object.entries(exports).flatMap(([subpath, { import: entry }]) => {
        // `./internal` and `./adapter` are for packages of this repository, `./register` exports nothing.
        if (entry?.types === undefined || /^\.\/(internal|adapter|register)$/.test(subpath)) return [];
        const source = entry.types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts");
        return [{ name: name + subpath.slice(1), source: join(ROOT, "packages", folder, source) }];
      });
    });
}

/** The sources of all packages, with their types; imports between packages lead to the source and not to `dist`. */
export function createProgram(): ts.Program {
  const own = Object.fromEntries(
    globSync("packages/*/src/{index,internal,adapter}.ts", { cwd: ROOT }).map((file) => {
      const [, folder, , entry] = file.replaceAll("\\", "/").replace(/\.ts$/, "").split("/");
      return [`@throughline/${folder}${entry === "index" ? "" : `/${entry}`}`, [join(ROOT, file)]];
    }),
  );
  const paths = { ...own, ...Object.fromEntries(entryPoints().map(({ name, source }) => [name, [source]])) };
  return ts.createProgram(
    entryPoints().map(({ source }) => source),
    {
      target: ts.ScriptTarget.ES2024,
      lib: ["lib.es2024.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts"],
      module: ts.ModuleKind.NodeNext,
      types: ["node"],
      typeRoots: [join(ROOT, "node_modules/@types")],
      strict: true,
      allowImportingTsExtensions: true,
      experimentalDecorators: true,
      noEmit: true,
      skipLibCheck: true,
      paths,
    },
  );
}

/** The first sentences of a docstring, on one line, without its tags. */
export function docOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  return oneLine(ts.displayPartsToString(symbol.getDocumentationComment(checker)));
}

/** A tag of a docstring, such as `@default`. */
export function tagOf(symbol: ts.Symbol, name: string): string | undefined {
  const tag = symbol.getJsDocTags().find((each) => each.name === name);
  return tag === undefined ? undefined : oneLine(ts.displayPartsToString(tag.text));
}

/** The docstring of a declaration of a file, on one line. */
export function commentOf(node: ts.Node): string {
  const comment = ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc);
  return oneLine(ts.getTextOfJSDocComment(comment?.comment) ?? "");
}

function oneLine(text: string): string {
  return text
    .replaceAll(/\{@link (\w+)\}/g, "`$1`")
    .replaceAll(/\s+/g, " ")
    .trim();
}

/** A paragraph of Markdown, in lines of at most 120 characters. */
export function paragraph(text: string): string {
  return text.replaceAll(/(.{1,120})(?: |$)/g, "$1\n");
}

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return `${[line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}

export const GENERATED =
  "<!-- Generated from the code by `npm run docs:reference`. Do not edit: change the docstrings. -->";
