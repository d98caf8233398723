// Installs and builds what is missing. Runs on Node 20 without any package, as npm finds it in a fresh clone.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const stamp = join(root, "node_modules", ".installed");

/** With the Node of this repository first, where the platform has it: the tools need a newer one than npm does. */
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, NX_DAEMON: "false" };

/** Runs a command in the repository's folder and returns its exit code. Ctrl-C is left to it. */
export function run(command, args) {
  const child = spawn(command, args, { cwd: root, env, stdio: "inherit" });
  const ignore = () => {};
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

export async function bootstrap() {
  await install();
  requireNode();
  await step("Building", "npm", ["run", "--silent", "build"]);
}

async function install() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  await step("Installing (npm ci; about half a minute)", "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

function requireNode() {
  if (existsSync(join(bin, "node"))) return;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return;
  console.error(
    `Cannot run: Node 22.18 or newer is needed on this platform: current value is ${process.versions.node}`,
  );
  process.exit(1);
}

async function step(title, command, args) {
  const from = Date.now();
  console.log(`${title} ...`);
  const code = await run(command, args);
  if (code !== 0) process.exit(code);
  console.log(`${title.split(" ")[0]}: done in ${((Date.now() - from) / 1000).toFixed(1)} s`);
}
