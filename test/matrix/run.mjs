// Runs what can differ between versions against the oldest and the newest: `npm run test:matrix`.
import { spawn } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..", "..");

function run(command, args, cwd = root) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.join(" ")} ended with code ${code}`)),
    );
  });
}

/** Puts the package as it would be published among this folder's own, where it finds this folder's OpenTelemetry. */
function place(name, api) {
  const target = join(here, "node_modules", name);
  rmSync(target, { recursive: true, force: true });
  for (const part of ["dist", "package.json"])
    cpSync(join(root, "packages/context", part), join(target, part), { recursive: true });
  if (api !== undefined) cpSync(api, join(target, "node_modules/@opentelemetry/api"), { recursive: true });
}

await run("npm", ["ci", "--no-workspaces", "--no-audit", "--no-fund", "--loglevel=error"], here);
place("@throughline/context");
place("throughline-context-with-another-api", join(root, "node_modules/@opentelemetry/api"));

for (const node of ["node22", "node26"]) {
  const binary = join(here, "node_modules", node, "bin/node");
  await run(binary, ["--version"]);
  await run(binary, [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "packages",
    "test/conformance",
    "test/process",
    "--reporter=dot",
  ]);
  await run(binary, [join(here, "opentelemetry-2.mjs")]);
}
