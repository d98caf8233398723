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

/** The TypeScript in a README, block by block. */
function blocksOf(file: string): Block[] {
  const blocks = [...readFileSync(file, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)];
  return blocks.map((block, index) => ({ name: `${file.replaceAll(/\W+/g, "-")}-${index + 1}`, code: block[1]! }));
}

/** What the block says it prints: the comments after its `console.log`s. */
function claimed(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\);? *\/\/ (.*)$/gm)].map((match) => match[1]!);
}

const blocks = globSync(["README.md", "packages/*/README.md", "docs/*.md"]).toSorted().flatMap(blocksOf);

describe("the code in a README", () => {
  const servers: net.Server[] = [];
  beforeAll(() => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER);
    for (const { name, code } of blocks) writeFileSync(new URL(`${name}.ts`, FOLDER), code);
    // A reader has port 3000; a test takes what is free, and closes it.
    const { listen } = net.Server.prototype;
    vi.spyOn(net.Server.prototype, "listen").mockImplementation(function (this: net.Server, ...args: unknown[]) {
      servers.push(this);
      Reflect.apply(listen, this, onAnyPort(args));
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

  it("is there", () => {
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

  it.each(blocks)("runs, and prints what it says: $name", async ({ name, code }) => {
    const printed: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((...args: unknown[]) => void printed.push(formatted(args)));
    await import(new URL(`${name}.ts`, FOLDER).href);
    await new Promise(setImmediate);
    log.mockRestore();

    expect(printed.toSorted()).toEqual(claimed(code).toSorted());
  });
});

/** The arguments of `listen`, with a free port. */
function onAnyPort([first, ...rest]: unknown[]): unknown[] {
  if (typeof first === "number") return [0, ...rest];
  return typeof first === "object" ? [{ ...first, port: 0 }, ...rest] : [first, ...rest];
}

/** As `console.log` does. */
function formatted(args: readonly unknown[]): string {
  return format(...(args as [unknown]));
}
