// What npm would publish of each package.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** The fields of a package.json that these checks read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly main?: string;
  readonly types?: string;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly exports?: object;
  readonly publishConfig?: { readonly access?: string; readonly provenance?: boolean };
  readonly repository?: { readonly directory?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What npm would publish of a package. */
export interface PackedPackage {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Paths in the package. */
  readonly files: readonly string[];
  /** The size of all files. */
  readonly bytes: number;
}

/** The folders of the packages that are published. */
function publishedFolders(): string[] {
  return readdirSync(join(ROOT, "packages"))
    .filter((folder) => existsSync(join(ROOT, "packages", folder, "package.json")))
    .filter((folder) => manifestOf(folder).private !== true)
    .toSorted();
}

export function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, "packages", folder, "package.json"), "utf8")) as Manifest;
}

/** What npm would publish of each package. Nothing is sent. */
export function packedPackages(): PackedPackage[] {
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
  const packed = Object.values(
    JSON.parse(output) as Record<string, { name: string; files: { path: string }[]; unpackedSize: number }>,
  );
  return folders.map((folder) => {
    const manifest = manifestOf(folder);
    const { files, unpackedSize } = packed.find(({ name }) => name === manifest.name)!;
    return { folder, manifest, files: files.map(({ path }) => path).toSorted(), bytes: unpackedSize };
  });
}
