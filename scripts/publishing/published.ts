// What a release of the working tree would publish, and what is wrong with it.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { contentFaults, manifestFaults } from "./contents.ts";
import { type PackedPackage, packedPackages, ROOT } from "./packed.ts";
import { type Budgets, budgets, type PackageSize, sizeFaults, sizesOf } from "./sizes.ts";

export interface Published {
  /** The version in lerna.json. */
  readonly version: string;
  readonly packed: readonly PackedPackage[];
  readonly sizes: readonly PackageSize[];
  readonly limits: Budgets;
  /** Sentences. */
  readonly faults: readonly string[];
}

export function checkPublished(): Published {
  const { version } = JSON.parse(readFileSync(join(ROOT, "lerna.json"), "utf8")) as { version: string };
  const packed = packedPackages();
  const sizes = sizesOf(packed);
  const limits = budgets();
  const faults = [
    ...packed.flatMap((each) => [...contentFaults(each), ...manifestFaults(each, version)]),
    ...sizeFaults(sizes, limits),
  ];
  return { version, packed, sizes, limits, faults };
}
