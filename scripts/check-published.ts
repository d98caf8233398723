// Checks what would be published: the contents and the manifest of each package, and its size against a budget.
import { checkPublished } from "./publishing/published.ts";
import { kB } from "./publishing/sizes.ts";

const { packed, sizes, limits, faults } = checkPublished();

console.log("package              own            of      installed         of  packages");
for (const { folder, own, installed, packages } of sizes) {
  const [ownLimit = "?", installedLimit = "?"] = limits[folder] ?? [];
  const cells = [kB(own).padStart(9), `${ownLimit} kB`.padStart(11), kB(installed).padStart(12)];
  console.log(folder.padEnd(16), ...cells, `${installedLimit} kB`.padStart(12), String(packages).padStart(6));
}

for (const fault of faults) console.error(fault);
console.log(`${packed.length} packages, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
