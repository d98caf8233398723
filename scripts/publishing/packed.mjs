// What npm would publish of each package.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The folders of the packages that are published. */
export function publishedFolders() {
  return readdirSync(join(ROOT, "packages"))
    .filter((folder) => existsSync(join(ROOT, "packages", folder, "package.json")))
    .filter((folder) => manifestOf(folder).private !== true)
    .toSorted();
}

export function manifestOf(folder) {
  return JSON.parse(readFileSync(join(ROOT, "packages", folder, "package.json"), "utf8"));
}

/** Returns `{ folder, manifest, files, bytes }` of each package. Nothing is sent. */
export function packedPackages() {
  const folders = publishedFolders();
  const workspaces = folders.map((folder) => `--workspace=packages/${folder}`);
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts", ...workspaces];
  const output = execFileSync("npm", args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1e8,
    stdio: ["ignore", "pipe", "ignore"],
    shell: process.platform === "win32",
  });
  const packed = Object.values(JSON.parse(output));
  return folders.map((folder) => {
    const manifest = manifestOf(folder);
    const { files, unpackedSize } = packed.find(({ name }) => name === manifest.name);
    return { folder, manifest, files: files.map(({ path }) => path).toSorted(), bytes: unpackedSize };
  });
}
