import { execFile } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { ESLint as Eslint9 } from "eslint9";
import { ESLint as Eslint10 } from "eslint10";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import entry from "./index.ts";
import { plugin } from "./plugin.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** For each rule a mistake, which is appended to a file of the storefront. */
const MISTAKES: Record<string, readonly [file: string, code: string]> = {
  "bind-listener": ["services/search.ts", "export const a = (m: any) => m.on('reload', () => current().err());"],
  "consume-body": ["services/search.ts", "export const b = async () => { const r = await fetch('/'); return r.ok; };"],
  "context-first": [
    "services/search.ts",
    "import type { Context } from '@throughline/context'; export async function c(id: string, ctx: Context) {}",
  ],
  "middleware-order": [
    "services/gateway.ts",
    "const late = express(); late.get('/', (_q, r) => void r.end()); late.use(requestContext()); late.use(errorHandler());",
  ],
  "no-background": [
    "services/catalog.ts",
    "import * as d from '@throughline/context'; export function e() { const ctx = d.current(); d.run(d.background, () => ctx.err()); }",
  ],
  "no-bare-io": ["services/inventory.ts", "export const f = () => globalThis.fetch('http://pricing/');"],
  "no-context-in-loop": [
    "services/catalog.ts",
    "import * as g from '@throughline/context'; let deep = g.current(); for (;;) deep = g.withValue(deep, g.createKey('k'), 1);",
  ],
  "no-lost-cancel": [
    "services/pricing.ts",
    "import { withTimeout as limit } from '@throughline/context'; export const h = () => { const [ctx] = limit(current(), 1); return ctx; };",
  ],
  "no-stored-context": [
    "services/search.ts",
    "const seen = new Map<string, unknown>(); export const i = (id: string) => seen.set(id, current());",
  ],
  "no-swallowed-end": [
    "services/search.ts",
    "export async function j() { while (true) { try { return await fetch('/'); } catch (error) { console.log(error); } } }",
  ],
  "valid-duration": ["services/search.ts", "app.use(requestContext({ maxTimeout: '5 s' as '5s' }));"],
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "throughline-lint-"));
  cpSync(join(root, "examples/storefront"), folder, {
    recursive: true,
    filter: (path) => !path.includes("node_modules"),
  });
  const jsPlugins = [join(root, "packages/eslint-plugin/src/index.ts")];
  // Without `everywhere`: the storefront has a visitor, which is no server.
  const rules = { ...plugin.configs.strict.rules, "throughline/no-bare-io": "error" };
  writeFileSync(
    join(folder, ".oxlintrc.json"),
    JSON.stringify({ plugins: [], categories: { correctness: "off" }, jsPlugins, rules }),
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs oxlint, and returns the file and the rule of each finding. */
function oxlint(): Promise<string[]> {
  // The lowest Node that tests run on strips no types unless asked.
  const flags = process.features.typescript === false ? ["--experimental-strip-types"] : [];
  const args = [...flags, join(root, "node_modules/oxlint/bin/oxlint"), "--format=json"];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: folder }, (_error, stdout, stderr) => {
      try {
        const { diagnostics } = JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] };
        resolve(diagnostics.map(({ filename, code }) => `${filename} ${code}`));
      } catch {
        reject(new Error(stdout + stderr));
      }
    });
  });
}

describe("oxlint", () => {
  it("finds nothing in the storefront", async () => {
    expect(await oxlint()).toEqual([]);
  });

  it("finds a mistake of every kind in the storefront", async () => {
    for (const [file, code] of Object.values(MISTAKES)) appendFileSync(join(folder, file), `\n${code}\n`);
    const wanted = Object.entries(MISTAKES).map(([rule, [file]]) => `${file} throughline(${rule})`);
    expect((await oxlint()).toSorted()).toEqual(wanted.toSorted());
    expect(Object.keys(MISTAKES)).toEqual(Object.keys(plugin.rules).toSorted());
  });
});

describe.each([
  ["ESLint 9", Eslint9],
  ["ESLint 10", Eslint10],
])("%s", (_name, Eslint) => {
  const lint = async (config: object): Promise<unknown[]> => {
    const eslint = new Eslint({ overrideConfigFile: true, overrideConfig: [config as never] });
    const [result] = await eslint.lintText(
      'import { withCancel, current } from "@throughline/context"; const [ctx] = withCancel(current()); async function load(id, c) { withCancel(c)[1](); }',
    );
    return result!.messages.map(({ ruleId, severity }) => [ruleId, severity]);
  };

  it("accepts the recommended configuration", async () => {
    expect(await lint(plugin.configs.recommended)).toEqual([["throughline/no-lost-cancel", 1]]);
  });

  it("accepts the strict configuration", async () => {
    expect(await lint(plugin.configs.strict)).toEqual([
      ["throughline/no-lost-cancel", 2],
      ["throughline/context-first", 2],
    ]);
  });
});

it("is the default export, and what require returns", async () => {
  expect(entry).toBe(plugin);
  expect(await import("./index.ts")).toHaveProperty(["module.exports"], plugin);
});
