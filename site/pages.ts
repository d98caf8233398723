import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { type Entry, type Group, type Section, sections } from "./navigation.ts";

export const ROOT: string = fileURLToPath(new URL("../", import.meta.url));

/** Where TypeDoc writes the API, relative to the root. Not committed. */
export const API = "site/pages/api";

/** The Markdown files of the repository that are pages, with `/`, relative to the root. */
export function sources(): string[] {
  const patterns = [
    "docs/**/*.md",
    "decisions/*.md",
    "packages/*/README.md",
    "examples/*/README.md",
    "{CHANGELOG,CONTRIBUTING,SECURITY}.md",
  ];
  const found = globSync(patterns, { cwd: ROOT, exclude: (name) => /^(node_modules|dist)$/.test(name) });
  return found.map((file) => file.replaceAll("\\", "/")).toSorted();
}

/** The path of a page on the site, without extension: `docs/learn/context.md` is `learn/context`. */
export function pathOf(file: string): string {
  return file
    .replace(/^site\/pages\//, "")
    .replace(/^docs\//, "")
    .replace(/\.md$/, "")
    .replace(/^(CHANGELOG|CONTRIBUTING|SECURITY)$/, (name) => name.toLowerCase())
    .replace(/^(packages|examples)\/(.+)\/README$/, "$1/$2")
    .replace(/(^|\/)README$/, "$1index");
}

/** The address of a page: that of an index is its folder. */
export function addressOf(file: string): string {
  return `/${pathOf(file).replace(/(^|\/)index$/, "$1")}`;
}

/** The first heading of a page. */
export function titleOf(file: string): string {
  const text = readFileSync(`${ROOT}${file}`, "utf8");
  return (/^# (.+)$/m.exec(text)?.[1] ?? pathOf(file)).replaceAll("`", "");
}

/** The sections of the site, with the files that exist. */
export function existingSections(): Section[] {
  const exists = ({ file }: Entry): boolean => existsSync(`${ROOT}${file}`);
  return sections(foundGroups()).map((section) => ({
    ...section,
    groups: section.groups
      .map((group) => ({ ...group, entries: group.entries.filter(exists) }))
      .filter(({ entries }) => entries.length > 0),
  }));
}

function foundGroups(): { packages: Group; api: Group; decisions: Group; examples: Group } {
  const all = sources();
  const under = (folder: string): string[] => all.filter((file) => file.startsWith(`${folder}/`));
  const named = (file: string): Entry => ({ text: file.split("/").at(-2)!, file });
  const api = globSync(`${API}/*.md`, { cwd: ROOT }).toSorted();
  return {
    packages: { text: "Packages", entries: under("packages").map(named) },
    api: {
      text: "API",
      entries: api
        .map((file) => file.replaceAll("\\", "/"))
        .map((file) => ({ text: pathOf(file).slice("api/".length).replace("index", "All packages"), file })),
    },
    decisions: { text: "Decisions", entries: under("decisions").map((file) => ({ text: titleOf(file), file })) },
    examples: { text: "Examples", entries: under("examples").map(named) },
  };
}

/** Whether a path relative to the root is a folder. */
export function isFolder(path: string): boolean {
  return existsSync(`${ROOT}${path}`) && statSync(`${ROOT}${path}`).isDirectory();
}
