// Writes what users of CommonJS need: for each entry point a `.cjs` that loads the ES module, and for each `.d.ts` a `.d.cts`,
// as TypeScript resolves a `require` by declarations of CommonJS only. Every Node that the packages support loads ES modules
// with `require`, so that both get the same module. Runs after `tsc -b`.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** Unchanged files keep their time, by which an incremental build decides what to do. */
function write(file, text) {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}

for (const name of readdirSync("packages")) {
  const root = join("packages", name);
  const dist = join(root, "dist");
  if (!existsSync(dist)) continue;
  for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".d.ts")) continue;
    const text = readFileSync(join(dist, file), "utf8")
      .replaceAll(/(from |import\()"(\.[^"]+)\.js"/g, '$1"$2.cjs"')
      .replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
    write(join(dist, file.replace(/\.d\.ts$/, ".d.cts")), text);
  }
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const entry of Object.values(exports)) {
    const target = entry.require?.default;
    if (target !== undefined) {
      write(join(root, target), `module.exports = require("./${basename(target, ".cjs")}.js");\n`);
    }
  }
}
