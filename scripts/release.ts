// Prepares a release: `npm run release -- 0.2.0`. It checks what would be published, sets the version by Lerna, dates
// the changelog, commits and tags. It publishes nothing: pushing the tag starts .github/workflows/release.yml, which does.
// With `--dry-run` it changes nothing, and prints what it would do; Lerna then works in a temporary clone.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { changelogEntry, withDate } from "./publishing/changelog.ts";
import { ROOT } from "./publishing/packed.ts";
import { checkPublished } from "./publishing/published.ts";
import { kB } from "./publishing/sizes.ts";

const args = process.argv.slice(2);
const isDryRun = args.includes("--dry-run");
const { version: current, packed, sizes, faults: published } = checkPublished();
const version = args.find((arg) => !arg.startsWith("--")) ?? current;
if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
  console.error(`Cannot release: the version must be <major>.<minor>.<patch>; received ${JSON.stringify(version)}`);
  process.exit(1);
}

const changelogFile = join(ROOT, "CHANGELOG.md");
const changelog = readFileSync(changelogFile, "utf8");
const entry = changelogEntry(changelog, version);
const faults = [...published];
if (entry === undefined) faults.push(`CHANGELOG.md: has no entry '## ${version}, not released'`);
else if (entry.text === "") faults.push(`CHANGELOG.md: the entry of ${version} is empty`);
else if (entry.date !== "not released") faults.push(`CHANGELOG.md: ${version} was released on ${entry.date}`);
const changed = git(["status", "--porcelain"]).trim();
if (!isDryRun && changed !== "") faults.push(`The working tree must have no changes; it has:\n${changed}`);

console.log(`Release ${version}${isDryRun ? " (dry run: nothing is changed or published)" : ""}\n`);
console.log("Packages:");
for (const { folder, manifest, files } of packed) {
  const { own, installed } = sizes.find((each) => each.folder === folder)!;
  const change = version === current ? version : `${current} -> ${version}`;
  console.log(`  ${manifest.name} ${change}: ${files.length} files, ${kB(own)}, installed ${kB(installed)}`);
}
console.log(`\nChangelog entry:\n\n${entry?.text ?? "none"}\n`);
if (faults.length > 0) {
  for (const fault of faults) console.error(fault);
  console.error(`Cannot release ${version}: ${faults.length} faults`);
  process.exit(1);
}

const LERNA = ["version", version, "--exact", "--force-publish", "--no-git-tag-version", "--no-push", "--yes"];
const today = new Date().toISOString().slice(0, 10);

if (isDryRun) {
  if (version !== current) console.log(`Files that Lerna changes:\n${lernaInClone()}`);
  console.log(`Would date the changelog ${today}, commit and tag v${version}. Pushing the tag publishes.`);
} else {
  if (version !== current) lerna(ROOT, LERNA);
  writeFileSync(changelogFile, withDate(changelog, version, today));
  git(["commit", "--all", "--message", `throughline: release ${version}`]);
  git(["tag", "--annotate", `v${version}`, "--message", `v${version}`]);
  console.log(`Committed and tagged v${version}. To publish: git push --follow-tags`);
}

function git(parameters: string[]): string {
  return execFileSync("git", parameters, { cwd: ROOT, encoding: "utf8" });
}

function lerna(cwd: string, parameters: string[]): void {
  const cli = join(ROOT, "node_modules/lerna/dist/cli.js");
  execFileSync(process.execPath, [cli, ...parameters], {
    cwd,
    env: { ...process.env, NX_DAEMON: "false" },
    stdio: "pipe",
  });
}

/** Sets the version in a clone of the last commit. Returns the files that this changes. */
function lernaInClone(): string {
  const clone = mkdtempSync(join(tmpdir(), "throughline-release-"));
  try {
    execFileSync("git", ["clone", "--quiet", "--local", ROOT, clone]);
    symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"), "junction");
    lerna(clone, [...LERNA, "--allow-branch", "**"]);
    return execFileSync("git", ["diff", "--stat"], { cwd: clone, encoding: "utf8" });
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
}
