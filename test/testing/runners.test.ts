import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { afterAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SUITES = fileURLToPath(new URL("./suites/", import.meta.url));
const BLOCKS = new URL("./.blocks/", import.meta.url);

interface Result {
  readonly code: number;
  readonly output: string;
}

/** Runs a Node program to its end, without the environment of this test runner. */
function node(args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<Result> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:VITEST|NODE_|JEST|TEST|DEV$|PROD$|MODE$)/.test(name)),
  );
  return new Promise((resolve) => {
    const { cwd = ROOT } = options;
    execFile(process.execPath, args, { cwd, env: { ...env, ...options.env } }, (error, stdout, stderr) => {
      const output = stdout + stderr;
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output });
    });
  });
}

/** The program of an installed runner; `undefined`, with a warning, if it is not installed. */
function installed(name: string, bin: string): string | undefined {
  const { resolve } = createRequire(new URL("../../packages/testing/package.json", import.meta.url));
  try {
    const file = resolve(`${name}/package.json`).replace(/package\.json$/, bin);
    if (existsSync(file)) return file;
  } catch {}
  console.warn(`SKIPPED: ${name} is not installed; @throughline/testing is not tested with it`);
  return undefined;
}

const mocha = installed("mocha", "bin/mocha.js");
const jest = installed("jest", "bin/jest.js");
const vitest = installed("vitest", "vitest.mjs");

const runners: [
  name: string,
  program: string | undefined,
  passing: () => Promise<Result>,
  leaking: () => Promise<Result>,
][] = [
  [
    "node:test",
    process.execPath,
    () => node(["--test", `${SUITES}node/clock.suite.mjs`]),
    () => node(["--test", `${SUITES}node/leak.suite.mjs`]),
  ],
  [
    "mocha",
    mocha,
    () => node([mocha!, `${SUITES}mocha/clock.suite.mjs`]),
    () => node([mocha!, `${SUITES}mocha/leak.suite.mjs`]),
  ],
  ["jest", jest, () => runJest(), () => runJest("--testMatch", "**/leak.failing.mjs")],
];

/** Jest in its default configuration. The flag is for ES modules. */
function runJest(...args: string[]): Promise<Result> {
  return node(["--experimental-vm-modules", jest!, "--verbose", ...args], { cwd: `${SUITES}jest` });
}

describe.each(runners)("under %s", (_name, program, passing, leaking) => {
  it.skipIf(program === undefined)("the kit keeps what it promises", { timeout: 60_000 }, async () => {
    const { code, output } = await passing();
    expect(output).toContain("a call ends at the deadline");
    expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
  });

  it.skipIf(program === undefined)("a test that leaks fails", { timeout: 60_000 }, async () => {
    const { code, output } = await leaking();
    expect(output).toMatch(
      /context: background\.withTimeout\(5s, [\d.]+s left\) has 1 listener, derived by .*leak\.\w+\.mjs/,
    );
    expect(code).not.toBe(0);
  });
});

describe("the page", () => {
  afterAll(() => rmSync(BLOCKS, { recursive: true, force: true }));

  it.skipIf(vitest === undefined)("has blocks that pass under vitest", { timeout: 60_000 }, async () => {
    const page = readFileSync(new URL("../../packages/testing/README.md", import.meta.url), "utf8");
    const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!);
    rmSync(BLOCKS, { recursive: true, force: true });
    mkdirSync(BLOCKS);
    for (const [index, code] of blocks.entries()) writeFileSync(new URL(`block-${index + 1}.test.ts`, BLOCKS), code);

    const args = [vitest!, "run", "test/testing/.blocks/"];
    const { code, output } = await node(args, { env: { NO_COLOR: "1" } });
    expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
    expect(output).toMatch(new RegExp(`Test Files +${blocks.length} passed`));
  });
});
