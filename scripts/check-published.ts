// Checks what would be published: the contents and the manifest of each package, and its size against a budget.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { contentFaults, manifestFaults } from "./publishing/contents.ts";
import { packedPackages, ROOT } from "./publishing/packed.ts";
import { budgets, kB, sizeFaults, sizesOf } from "./publishing/sizes.ts";

const { version } = JSON.parse(readFileSync(join(ROOT, "lerna.json"), "utf8")) as { version: string };
const packed = packedPackages();
const sizes = sizesOf(packed);
const limits = budgets();

console.log("package              own            of      installed         of  packages");
for (const { folder, own, installed, packages } of sizes) {
  const [ownLimit = "?", installedLimit = "?"] = limits[folder] ?? [];
  const cells = [kB(own).padStart(9), `${ownLimit} kB`.padStart(11), kB(installed).padStart(12)];
  console.log(folder.padEnd(16), ...cells, `${installedLimit} kB`.padStart(12), String(packages).padStart(6));
}

const faults = [
  ...packed.flatMap((each) => [...contentFaults(each), ...manifestFaults(each, version)]),
  ...sizeFaults(sizes, limits),
];
for (const fault of faults) console.error(fault);
console.log(`${packed.length} packages, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
