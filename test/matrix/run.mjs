// Runs what can differ between versions against the oldest and the newest: `npm run test:matrix`.
import { spawn } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..", "..");

function run(command, args, { cwd = root, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } });
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.join(" ")} ended with code ${code}`)),
    );
  });
}

/** Puts a package as it would be published among this folder's own, where it finds this folder's OpenTelemetry. */
function place(folder, name = `@throughline/${folder}`, api) {
  const target = join(here, "node_modules", name);
  rmSync(target, { recursive: true, force: true });
  for (const part of ["dist", "package.json"])
    cpSync(join(root, "packages", folder, part), join(target, part), { recursive: true });
  if (api !== undefined) cpSync(api, join(target, "node_modules/@opentelemetry/api"), { recursive: true });
}

/** Copies what the tests of instrumentations run, to where it finds this folder's OpenTelemetry: not into `node_modules`, where Node runs no TypeScript. */
function copyProgram() {
  const copy = join(here, ".program");
  rmSync(copy, { recursive: true, force: true });
  const filter = (path) => !path.endsWith(".test.ts");
  for (const part of ["instrumented", "support"])
    cpSync(join(root, "test", part), join(copy, part), { recursive: true, filter });
  return join(copy, "instrumented/serve.ts");
}

function vitest(node, tests, env) {
  return run(node, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...tests, "--reporter=dot"], { env });
}

await run("npm", ["ci", "--no-workspaces", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: here });
for (const folder of ["context", "resilience", "http", "express", "koa", "fetch", "telemetry"]) place(folder);
place("context", "throughline-context-with-another-api", join(root, "node_modules/@opentelemetry/api"));
const program = copyProgram();

for (const node of ["node22", "node26"]) {
  const binary = join(here, "node_modules", node, "bin/node");
  await run(binary, ["--version"]);
  await vitest(binary, ["packages", "test/conformance", "test/process", "test/instrumented"]);
  await vitest(binary, ["test/instrumented"], { INSTRUMENTED_PROGRAM: program });
  for (const program of ["opentelemetry-2.mjs", "telemetry-2.mjs"]) await run(binary, [join(here, program)]);
}
