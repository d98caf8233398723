import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";

import type { AnySubject } from "./subject.ts";

const ROOT = new URL("../../", import.meta.url);

/** The files with the subjects of each package, in an order that does not depend on the file system. */
const files = globSync("packages/*/src/**/*.fuzz.ts", { cwd: fileURLToPath(ROOT) }).toSorted();

const modules = await Promise.all(
  files.map(async (file) => (await import(new URL(file, ROOT).href)) as { readonly subjects: readonly AnySubject[] }),
);

/** The parsers of untrusted input in all packages. */
export const subjects: readonly AnySubject[] = modules.flatMap((module) => module.subjects);

/** The number of values for a subject, if all subjects together get `all` values. */
export function valuesOf({ share = 1 }: AnySubject, all: number): number {
  return Math.ceil((all * share) / subjects.reduce((sum, each) => sum + (each.share ?? 1), 0));
}
