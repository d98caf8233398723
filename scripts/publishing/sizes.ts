// What an installation of each package adds to a project.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { type Manifest, type PackedPackage, ROOT } from "./packed.ts";

/** Bytes of a folder, without packages that are installed in it. */
function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += folderBytes(path);
    else if (entry.isFile()) bytes += statSync(path).size;
  }
  return bytes;
}

/** The folder of a package, as Node finds it from another. Workspaces link their own. */
function find(name: string, from: string): string {
  for (let folder = from; folder.startsWith(ROOT.slice(0, -1)); folder = join(folder, "..")) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return candidate;
    if (`${folder}/` === ROOT || folder === ROOT) break;
  }
  throw new Error(`Cannot measure ${name}: it is not installed; run npm ci`);
}

/** What a package adds to a project, in bytes. */
export interface PackageSize {
  readonly folder: string;
  readonly own: number;
  /** With all production dependencies. */
  readonly installed: number;
  /** How many packages these are. */
  readonly packages: number;
}

/** The largest sizes of a package in kilobytes: its own, and with all production dependencies. */
export type Budgets = Readonly<Record<string, readonly [own: number, installed: number]>>;

/**
 * Measures each packed package. Peer dependencies are not counted, as the project has them. Optional
 * ones, such as platform binaries, are counted if they are installed.
 */
export function sizesOf(packed: readonly PackedPackage[]): PackageSize[] {
  const own = new Map(packed.map(({ manifest, bytes, folder }) => [manifest.name, { manifest, bytes, folder }]));
  return packed.map(({ folder, manifest, bytes }) => {
    const seen = new Map<string, number>();
    const visit = ({ dependencies = {}, optionalDependencies = {} }: Manifest, from: string): void => {
      for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
        const workspace = own.get(name);
        if (workspace !== undefined) {
          if (seen.has(name)) continue;
          seen.set(name, workspace.bytes);
          visit(workspace.manifest, join(ROOT, "packages", workspace.folder));
          continue;
        }
        let target: string;
        try {
          target = find(name, from);
        } catch (error) {
          if (name in optionalDependencies) continue;
          throw error;
        }
        if (seen.has(target)) continue;
        seen.set(target, folderBytes(target));
        visit(JSON.parse(readFileSync(join(target, "package.json"), "utf8")) as Manifest, target);
      }
    };
    visit(manifest, join(ROOT, "packages", folder));
    const installed = [...seen.values()].reduce((sum, each) => sum + each, bytes);
    return { folder, own: bytes, installed, packages: seen.size + 1 };
  });
}

/** The budgets of all packages, by their folders. */
export function budgets(): Budgets {
  return JSON.parse(readFileSync(new URL("size-budgets.json", import.meta.url), "utf8")) as Budgets;
}

/** Returns which sizes exceed their budgets, as sentences. */
export function sizeFaults(sizes: readonly PackageSize[], limits: Budgets): string[] {
  return sizes.flatMap(({ folder, own, installed }) => {
    const limit = limits[folder];
    if (limit === undefined) return [`${folder}: has no budget in scripts/publishing/size-budgets.json`];
    const over = (what: string, bytes: number, kilobytes: number): string[] =>
      bytes <= kilobytes * 1000 ? [] : [`${folder}: ${what} must be at most ${kilobytes} kB; is ${kB(bytes)}`];
    return [...over("its own size", own, limit[0]), ...over("its installed size", installed, limit[1])];
  });
}

export function kB(bytes: number): string {
  return `${Math.ceil(bytes / 1000)} kB`;
}
