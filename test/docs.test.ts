import { execFile } from "node:child_process";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { format, promisify } from "node:util";

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

interface Block {
  readonly name: string;
  readonly code: string;
}

const FOLDER = new URL("./.docs/", import.meta.url);

/** The TypeScript blocks of a Markdown file. */
function blocksOf(file: string): Block[] {
  const blocks = [...readFileSync(file, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)];
  return blocks.map((block, index) => ({ name: `${file.replaceAll(/\W+/g, "-")}-${index + 1}`, code: block[1]! }));
}

/** The output that a block documents: the comments after its `console.log` calls. */
function documentedOutput(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\);? *\/\/ (.*)$/gm)].map((match) => match[1]!);
}

const blocks = globSync(["README.md", "packages/*/README.md", "docs/*.md"]).toSorted().flatMap(blocksOf);

describe("the code in the documentation", () => {
  const servers: net.Server[] = [];
  beforeAll(() => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER);
    for (const { name, code } of blocks) writeFileSync(new URL(`${name}.ts`, FOLDER), code);
    // Documented ports such as 3000 may be in use, so the tests use free ports and close them.
    const { listen } = net.Server.prototype;
    vi.spyOn(net.Server.prototype, "listen").mockImplementation(function (this: net.Server, ...args: unknown[]) {
      servers.push(this);
      Reflect.apply(listen, this, typeof args[0] === "number" ? [0] : args);
      return this;
    });
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
      include: ["*.ts"],
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
