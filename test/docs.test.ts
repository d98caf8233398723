import { execFile } from "node:child_process";
import { globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import type net from "node:net";
import { format, promisify } from "node:util";

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { listenOnAnyPort } from "./support/any-port.ts";
import { codeBlocksOf } from "./support/code-blocks.ts";

const FOLDER = new URL("./.docs/", import.meta.url);

/** The output that a block documents: the comments after its `console.log` calls. */
function documentedOutput(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\);? *\/\/ (.*)$/gm)].map((match) => match[1]!);
}

const blocks = globSync(["README.md", "packages/*/README.md", "docs/**/*.md"]).toSorted().flatMap(codeBlocksOf);

describe("the code in the documentation", () => {
  const servers: net.Server[] = [];
  beforeAll(() => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER);
    for (const { name, code } of blocks) writeFileSync(new URL(`${name}.ts`, FOLDER), code);
    listenOnAnyPort((server) => servers.push(server));
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  afterAll(() => {
    vi.restoreAllMocks();
    rmSync(FOLDER, { recursive: true, force: true });
  });

  it("exists", () => {
    expect(blocks.length).toBeGreaterThan(10);
  });

  it("has no type errors", { timeout: 60_000 }, async () => {
    const project = {
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false },
      include: ["*.ts", "../support/untyped.d.ts"],
      references: [],
    };
    writeFileSync(new URL("tsconfig.json", FOLDER), JSON.stringify(project));
    const tsc = promisify(execFile)("tsc", ["-p", FOLDER.pathname]);
    expect(await tsc.catch((error: { stdout: string }) => error.stdout)).toEqual({ stdout: "", stderr: "" });
  });

  // Tests are run by `test/testing/runners.test.ts`.
  const programs = blocks.filter(({ code }) => !code.includes('from "vitest"'));
  it.each(programs)("prints its documented output: $name", async ({ name, code }) => {
    const printed: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((...args: unknown[]) => void printed.push(formatted(args)));
    await import(new URL(`${name}.ts`, FOLDER).href);
    await new Promise(setImmediate);
    log.mockRestore();

    expect(printed.toSorted()).toEqual(documentedOutput(code).toSorted());
  });
});

/** Formats arguments like `console.log`. */
function formatted(args: readonly unknown[]): string {
  return format(...(args as [unknown]));
}
