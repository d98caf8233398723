import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { create } from "./create.ts";
import type { Framework, Language } from "./service-options.ts";

const NODE_MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "create-throughline-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a script of the created service. The packages are those of this repository, so that nothing is installed. */
function run(script: string): Promise<{ stdout: string }> {
  symlinkSync(NODE_MODULES, join(folder, "node_modules"), "junction");
  const { NODE_OPTIONS: _options, NODE_ENV: _mode, VITEST: _vitest, ...others } = process.env;
  // Scripts run on the Node of this test.
  const env = { ...others, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}` };
  const shell = process.platform === "win32";
  return promisify(execFile)("npm", ["run", script], { cwd: folder, env, shell }).finally(() =>
    rmSync(join(folder, "node_modules")),
  );
}

describe.each<[Framework, Language]>([
  ["express", "typescript"],
  ["express", "javascript"],
  ["koa", "typescript"],
  ["koa", "javascript"],
  ["hono", "typescript"],
  ["hono", "javascript"],
  ["nest", "typescript"],
])("a service with %s in %s", (framework, language) => {
  // Node 22.15 does not run TypeScript as it is: created services need 22.18. A loaded machine starts processes slowly.
  const isRunnable = language === "javascript" || framework === "nest" || process.features.typescript !== false;
  it.skipIf(!isRunnable)("passes its own tests and checks", { timeout: 120_000 }, async () => {
    const files = create(folder, { framework, language });
    expect(files).toContain(`src/app.${language === "typescript" ? "ts" : "js"}`);
    expect((await run("test")).stdout).toMatch(/pass 2\n(.*\n)*.*fail 0/);
    if (language === "typescript") await run("check");
  });

  it("declares what it imports, and nothing else", () => {
    const files = create(folder, { framework, language });
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const imported = files
      .filter((file) => file.startsWith("src/"))
      .flatMap((file) => [...readFileSync(join(folder, file), "utf8").matchAll(/(?:from|import) "([^".][^"]*)"/g)])
      .map((match) => match[1]!)
      .filter((name) => !name.startsWith("node:"));
    // Peers of the packages: the API and the SDK of OpenTelemetry, and what Nest needs.
    const peers = ["@opentelemetry/api", "@opentelemetry/sdk-node"];
    const ofNest = ["@nestjs/platform-express", "rxjs"];
    expect(Object.keys(manifest.dependencies).toSorted()).toEqual(
      [...new Set([...imported, ...peers, ...(framework === "nest" ? ofNest : [])])].toSorted(),
    );
  });
});

describe("create", () => {
  it("overwrites nothing", () => {
    writeFileSync(join(folder, "notes.txt"), "mine");
    expect(() => create(folder)).toThrow("the folder must be empty or new");
    expect(readFileSync(join(folder, "notes.txt"), "utf8")).toBe("mine");
  });

  it("names the service as its folder, in characters that npm accepts", () => {
    create(join(folder, "My Shop!"));
    expect(JSON.parse(readFileSync(join(folder, "My Shop!/package.json"), "utf8"))).toMatchObject({ name: "my-shop" });
  });

  it("leads to no file that does not exist", () => {
    for (const language of ["typescript", "javascript"] as const) {
      const files = create(join(folder, language), { framework: "koa", language });
      const readme = readFileSync(join(folder, language, "README.md"), "utf8");
      for (const [file] of readme.matchAll(/src\/[\w.]+/g)) expect(files).toContain(file);
    }
  });

  it.each([
    [{ framework: "rails" as Framework }, "'framework' must be one of express, koa, hono, nest; received \"rails\""],
    [{ language: "coffee" as Language }, "'language' must be one of typescript, javascript; received \"coffee\""],
    [{ framework: "nest", language: "javascript" } as const, "'language' must be typescript for nest"],
  ])("rejects %o", (options, message) => {
    expect(() => create(folder, options)).toThrow(message);
  });
});
