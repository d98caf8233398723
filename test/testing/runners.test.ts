import { execFile, spawnSync } from "node:child_process";
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

interface Place {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** Runs a program to its end, without the environment of this test runner. */
function execute(program: string, args: readonly string[], { cwd = ROOT, env }: Place = {}): Promise<Result> {
  const outer = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:VITEST|NODE_|JEST|TEST|DEV$|PROD$|MODE$)/.test(name)),
  );
  return new Promise((resolve) => {
    execFile(program, args, { cwd, env: { ...outer, ...env } }, (error, stdout, stderr) => {
      const output = stdout + stderr;
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output });
    });
  });
}

function node(args: readonly string[], place?: Place): Promise<Result> {
  return execute(process.execPath, args, place);
}

/** The program of an installed runner; `undefined`, with a warning, if it is not installed. */
function installed(name: string, bin: string, from = "packages/testing"): string | undefined {
  const { resolve } = createRequire(new URL(`../../${from}/package.json`, import.meta.url));
  try {
    const file = resolve(`${name}/package.json`).replace(/package\.json$/, bin);
    if (existsSync(file)) return file;
  } catch {}
  return missing(`${name} is not installed`);
}

function missing(reason: string): undefined {
  console.warn(`SKIPPED: ${reason}; @throughline/testing is not tested with it`);
  return undefined;
}

/** Jest's program if it can `require` ES modules, as tests that a transformer compiles to CommonJS do. */
function jestWithRequire(): string | undefined {
  if (jest === undefined) return undefined;
  const [major, minor] = process.versions.node.split(".").map(Number) as [number, number];
  const isSupported = major > 24 || (major === 24 && minor >= 9);
  return isSupported ? jest : missing("jest on Node before 24.9 does not require ES modules");
}

/** Bun, whose package has a stub in place of the program until its install script has run. */
function bunProgram(): string | undefined {
  const program = installed("bun", "bin/bun.exe", "test");
  if (program === undefined) return undefined;
  const { status } = spawnSync(program, ["--version"]);
  return status === 0 ? program : missing("the program of bun is not installed");
}

const mocha = installed("mocha", "bin/mocha.js");
const jest = installed("jest", "bin/jest.js");
const vitest = installed("vitest", "vitest.mjs");
const bun = bunProgram();
const jestToCommonJs = jestWithRequire();

interface Runner {
  readonly name: string;
  readonly program: string | undefined;
  passing(): Promise<Result>;
  leaking(): Promise<Result>;
}

/** Jest. The flag is for ES modules. */
function runJest(folder: string, ...args: string[]): Promise<Result> {
  return node(["--experimental-vm-modules", jest!, "--verbose", ...args], { cwd: `${SUITES}${folder}` });
}

function jestOf(name: string, program: string | undefined, folder: string, ...config: string[]): Runner {
  return {
    name,
    program,
    passing: () => runJest(folder, ...config),
    leaking: () => runJest(folder, ...config, "--testMatch", "**/leak.failing.*"),
  };
}

const runners: Runner[] = [
  {
    name: "node:test",
    program: process.execPath,
    passing: () => node(["--test", `${SUITES}node/clock.suite.mjs`]),
    leaking: () => node(["--test", `${SUITES}node/leak.suite.mjs`]),
  },
  {
    name: "mocha",
    program: mocha,
    passing: () => node([mocha!, `${SUITES}mocha/clock.suite.mjs`]),
    leaking: () => node([mocha!, `${SUITES}mocha/leak.suite.mjs`]),
  },
  {
    name: "bun",
    program: bun,
    passing: () => execute(bun!, ["test", "./clock.suite.mjs"], { cwd: `${SUITES}bun` }),
    leaking: () => execute(bun!, ["test", "./leak.suite.mjs"], { cwd: `${SUITES}bun` }),
  },
  jestOf("jest in its default configuration", jest, "jest"),
  jestOf("jest with ts-jest, to ES modules", jest, "jest-typescript", "--config=ts-jest-esm.config.json"),
  jestOf("jest with ts-jest, to CommonJS", jestToCommonJs, "jest-typescript", "--config=ts-jest.config.json"),
  jestOf("jest with babel-jest, to CommonJS", jestToCommonJs, "jest-typescript", "--config=babel-jest.config.json"),
];

describe.each(runners)("under $name", ({ program, passing, leaking }) => {
  it.skipIf(program === undefined)("the kit keeps what it promises", { timeout: 60_000 }, async () => {
    const { code, output } = await passing();
    expect(output).toContain("a call ends at the deadline");
    expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
  });

  it.skipIf(program === undefined)("a test that leaks fails", { timeout: 60_000 }, async () => {
    const { code, output } = await leaking();
    expect(output).toMatch(
      /context: background\.withTimeout\(5s, [\d.]+s left\) has 1 listener, derived by .*leak\.\w+\.m?[jt]s/,
    );
    expect(code).not.toBe(0);
  });
});

it("200 tests of deadlines pass, and print the time that they took", { timeout: 60_000 }, async () => {
  const { code, output } = await node(["--test", `${SUITES}node/deadlines.suite.mjs`]);
  expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
  expect(output).toMatch(/pass 200$/m);
  console.log(/200 tests of deadlines, of 20100 s in all, took \d+ ms/.exec(output)?.[0]);
});

/** A block, with the imports of the versions of a mock that it is for. These are installed by other names. */
function versionsOf(code: string): string[] {
  if (code.includes("// nock 14")) return [code.replace('from "nock"', 'from "nock14"')];
  return code.includes('from "msw"') ? [code, code.replaceAll('from "msw', 'from "msw2')] : [code];
}

describe.each(["packages/testing/README.md", "docs/testing.md"])("the page %s", (page) => {
  afterAll(() => rmSync(BLOCKS, { recursive: true, force: true }));

  it.skipIf(vitest === undefined)("has blocks that pass under vitest", { timeout: 60_000 }, async () => {
    const blocks = readFileSync(`${ROOT}${page}`, "utf8").matchAll(/^```ts\n(.*?)^```$/gms);
    const tests = [...blocks].flatMap((match) => versionsOf(match[1]!));
    rmSync(BLOCKS, { recursive: true, force: true });
    mkdirSync(BLOCKS);
    for (const [index, code] of tests.entries()) writeFileSync(new URL(`block-${index + 1}.test.ts`, BLOCKS), code);

    const args = [vitest!, "run", "test/testing/.blocks/"];
    const { code, output } = await node(args, { env: { NO_COLOR: "1" } });
    expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
    expect(output).toMatch(new RegExp(`Test Files +${tests.length} passed`));
  });
});
