import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, expect, it } from "vitest";

/** A project of an Express service in CommonJS, as its author writes it. */
const SERVICE = `
import { current } from "@throughline/context";
import { query } from "@throughline/drivers/pg";
import { errorHandler, requestContext } from "@throughline/express";
import { createFetch } from "@throughline/fetch";
import { startTelemetry } from "@throughline/telemetry";

const fetch = createFetch({ timeout: "2s" });
export const middleware = [requestContext({ maxTimeout: "5s" }), errorHandler()] as const;
export async function handler(pool: { connect(): Promise<unknown>; query(): unknown }): Promise<number> {
  const rows = await query<{ n: number }>(current(), pool, "select 1 as n");
  const response: Response = await fetch("http://inventory/stock", { signal: current().signal });
  return response.status + rows.rows[0]!.n;
}
export const telemetry = startTelemetry({ serviceName: "shop" });
// @ts-expect-error -- the types are those of the packages, not \`any\`
requestContext({ maxTimeout: {} });
`;

const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
// Below the packages, where they resolve.
const folder = mkdtempSync(join(fileURLToPath(new URL(".", import.meta.url)), ".project-"));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ["node16", "node16"],
  ["nodenext", "nodenext"],
  ["commonjs", "node10"],
])(
  "a CommonJS project with module %s and moduleResolution %s has the types",
  { timeout: 60_000 },
  async (module, moduleResolution) => {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "commonjs" }));
    writeFileSync(join(folder, "service.ts"), SERVICE);
    const options = {
      module,
      moduleResolution,
      strict: true,
      noEmit: true,
      target: "es2022",
      lib: ["es2024", "dom", "esnext.disposable"],
      types: ["node"],
      skipLibCheck: true,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["service.ts"] }));
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch(
      (error: { stdout: string }) => error,
    );

    expect(stdout).toBe("");
  },
);
