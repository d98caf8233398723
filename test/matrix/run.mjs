// Runs the tests on the lowest supported Node and on the newest, and with OpenTelemetry's SDK 2.
// Takes the arguments of `vitest run`: `npm run test:matrix -- packages/http`.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..", "..");
const results = mkdtempSync(join(tmpdir(), "throughline-matrix-"));
const total = { passed: 0, failed: 0 };
process.once("exit", () => rmSync(results, { recursive: true }));

/** Runs a command and returns its exit code. */
function run(command, args, { cwd = root, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/**
 * Adds to the total. A run that fails without a failed test, such as a file that does not load, counts as one failure.
 */
function count(code, passed, failed) {
  total.passed += passed;
  total.failed += code === 0 ? failed : Math.max(failed, 1);
}

/** Copies a built package into this folder's `node_modules`, where it finds this folder's OpenTelemetry. */
function installPackage(folder, name = `@throughline/${folder}`, api) {
  const target = join(here, "node_modules", name);
  rmSync(target, { recursive: true, force: true });
  for (const part of ["dist", "package.json"])
    cpSync(join(root, "packages", folder, part), join(target, part), { recursive: true });
  if (api !== undefined) cpSync(api, join(target, "node_modules/@opentelemetry/api"), { recursive: true });
}

/**
 * Copies the program of `test/instrumented` to where it finds this folder's OpenTelemetry. Not into `node_modules`, where
 * Node does not run TypeScript.
 */
function copyProgram() {
  const copy = join(here, ".program");
  rmSync(copy, { recursive: true, force: true });
  const filter = (path) => !path.endsWith(".test.ts");
  for (const part of ["instrumented", "support"])
    cpSync(join(root, "test", part), join(copy, part), { recursive: true, filter });
  return join(copy, "instrumented/serve.ts");
}

async function runTests(node, args, env) {
  const file = join(results, "tests.json");
  rmSync(file, { force: true });
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${file}`];
  const code = await run(node, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...args, ...reporters], { env });
  const { numPassedTests = 0, numFailedTests = 0 } = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  count(code, numPassedTests, numFailedTests);
}

async function runProgram(node, program) {
  const code = await run(node, [join(here, program)]);
  count(code, code === 0 ? 1 : 0, 0);
}

const installed = await run("npm", ["ci", "--no-workspaces", "--no-audit", "--no-fund", "--loglevel=error"], {
  cwd: here,
});
if (installed !== 0) process.exit(installed);
for (const folder of ["context", "resilience", "http", "express", "koa", "fetch", "telemetry", "testing"])
  installPackage(folder);
installPackage("context", "throughline-context-with-another-api", join(root, "node_modules/@opentelemetry/api"));
const program = copyProgram();

for (const name of ["lowest-node", "newest-node"]) {
  const node = join(here, "node_modules", name, "bin/node");
  const { version } = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"));
  const before = { ...total };
  // Without the pages of the viewer and the site, which run in Chromium, the tracing tools, and the
  // scripts of a release, which need a newer Node: `npm test` runs them.
  await runTests(node, [
    ...process.argv.slice(2),
    "--exclude=test/viewer/**",
    "--exclude=test/tools/**",
    "--exclude=site/**",
    "--exclude=test/publishing/**",
  ]);
  await runTests(node, ["test/instrumented"], { INSTRUMENTED_PROGRAM: program });
  for (const each of ["opentelemetry-2.mjs", "telemetry-2.mjs"]) await runProgram(node, each);
  console.log(
    `\nNode ${version.replace("v", "")}: ${total.passed - before.passed} passed, ${total.failed - before.failed} failed\n`,
  );
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
