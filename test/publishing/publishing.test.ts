import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

import { describe, expect, it } from "vitest";
import { parse } from "yaml";

import { changelogEntry, withDate } from "../../scripts/publishing/changelog.ts";
import { contentFaults, manifestFaults } from "../../scripts/publishing/contents.ts";
import { sizeFaults } from "../../scripts/publishing/sizes.ts";

const files = [
  "LICENSE",
  "README.md",
  "dist/index.cjs",
  "dist/index.d.ts",
  "dist/index.js",
  "package.json",
  "src/index.ts",
];
const manifest = {
  name: "@throughline/example",
  version: "1.0.0",
  license: "Apache-2.0",
  exports: { ".": { import: { types: "./dist/index.d.ts", default: "./dist/index.js" } } },
  publishConfig: { access: "public", provenance: true },
  repository: { directory: "packages/example" },
  dependencies: { "@throughline/context": "1.0.0" },
};
const example = { folder: "example", manifest, files };

describe("the contents of a package", () => {
  it("are accepted if they are on the list", () => {
    expect(contentFaults(example)).toEqual([]);
    expect(manifestFaults(example, "1.0.0")).toEqual([]);
  });

  it.each([
    "src/index.test.ts",
    "src/rows.fixture.ts",
    "dist/index.test.js",
    ".env",
    "secret.pem",
    "dist/a.tsbuildinfo",
  ])("may not have %s", (file) => {
    expect(contentFaults({ ...example, files: [...files, file] })[0]).toContain(`publishes ${file}`);
  });

  it.each(["README.md", "dist/index.d.ts", "dist/index.js"])("must have %s", (missing) => {
    const faults = contentFaults({ ...example, files: files.filter((file) => file !== missing) });
    expect(faults[0]).toContain(missing);
  });

  it("may not have output whose source was removed", () => {
    expect(contentFaults({ ...example, files: [...files, "dist/removed.js"] })).toEqual([
      "example: publishes dist/removed.js, whose source does not exist: it is outdated",
    ]);
  });
});

describe("the manifest of a package", () => {
  it.each([
    ["version", { version: "0.9.0" }],
    ["publishConfig.provenance", { publishConfig: { access: "public" } }],
    ["dependencies.@throughline/context", { dependencies: { "@throughline/context": "^1.0.0" } }],
  ])("must have the right %s", (field, change) => {
    const [fault] = manifestFaults({ ...example, manifest: { ...manifest, ...change } }, "1.0.0");
    expect(fault).toContain(`'${field}' must be`);
  });
});

it("a package that exceeds its budget is reported, with both numbers", () => {
  const sizes = [{ folder: "example", own: 120_000, installed: 300_000, packages: 2 }];
  expect(sizeFaults(sizes, { example: [100, 500] })).toEqual([
    "example: its own size must be at most 100 kB; is 120 kB",
  ]);
  expect(sizeFaults(sizes, {})).toHaveLength(1);
});

describe("the changelog", () => {
  const changelog = "# Changelog\n\n## 0.2.0, not released\n\n- Two.\n\n## 0.1.0, 2026-01-02\n\n- One.\n";

  it("has an entry for a version", () => {
    expect(changelogEntry(changelog, "0.2.0")).toEqual({ date: "not released", text: "- Two." });
    expect(changelogEntry(changelog, "0.1.0")).toEqual({ date: "2026-01-02", text: "- One." });
    expect(changelogEntry(changelog, "0.3.0")).toBeUndefined();
  });

  it("is dated by a release", () => {
    expect(changelogEntry(withDate(changelog, "0.2.0", "2026-03-04"), "0.2.0")!.date).toBe("2026-03-04");
  });
});

describe("a release that is only tried", () => {
  const release = (...args: string[]) =>
    promisify(execFile)(process.execPath, ["scripts/release.ts", "--dry-run", ...args], { maxBuffer: 1e7 });

  it("lists every package, and publishes nothing", { timeout: 120_000 }, async () => {
    const { stdout } = await release();
    expect(stdout).toContain("nothing is changed or published");
    expect(stdout).toMatch(/@throughline\/express \d+\.\d+\.\d+: \d+ files/);
    expect(stdout).toContain("Pushing the tag publishes.");
  });

  it("fails without an entry in the changelog", { timeout: 120_000 }, async () => {
    await expect(release("99.0.0")).rejects.toMatchObject({
      stderr: expect.stringContaining("has no entry '## 99.0.0, not released'") as unknown,
    });
  });
});

describe("the workflows", () => {
  const workflow = (name: string): { jobs: Record<string, Job> } =>
    parse(readFileSync(`.github/workflows/${name}.yml`, "utf8")) as { jobs: Record<string, Job> };
  interface Job {
    readonly permissions?: Record<string, string>;
    readonly strategy?: { readonly matrix: Record<string, unknown[]> };
    readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
  }
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

  it.each(["ci", "release"])("of %s run scripts that exist", (name) => {
    const commands = Object.values(workflow(name).jobs).flatMap(({ steps }) => steps.map(({ run }) => run ?? ""));
    const used = commands.flatMap((command) => [...command.matchAll(/npm run ([\w:]+)/g)].map((match) => match[1]!));
    expect(used).toContain("build");
    expect(used.filter((script) => scripts[script] === undefined)).toEqual([]);
  });

  it("test each supported Node on three systems", () => {
    expect(workflow("ci").jobs["test"]!.strategy!.matrix).toEqual({
      os: ["ubuntu-latest", "macos-latest", "windows-latest"],
      node: [22, 24, 26],
    });
  });

  it("publish without a token, by the identity of the workflow", () => {
    const text = readFileSync(".github/workflows/release.yml", "utf8");
    expect(text).not.toMatch(/NPM_TOKEN|NODE_AUTH_TOKEN|secrets\./);
    expect(workflow("release").jobs["publish"]!.permissions).toEqual({ contents: "read", "id-token": "write" });
  });
});
