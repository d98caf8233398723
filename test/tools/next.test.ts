import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
/** A folder in which this folder's `package.json` was installed. */
const tools = process.env["THROUGHLINE_TOOLS"];
const isInstalled = tools !== undefined && existsSync(join(tools, "node_modules/next"));

if (!isInstalled) {
  console.warn(
    "\n!!! SKIPPED: Next.js: not installed. Install test/tools/package.json in a separate folder and set THROUGHLINE_TOOLS to it. !!!\n",
  );
}

const environment = { ...process.env, NODE_ENV: "production" as const, NEXT_TELEMETRY_DISABLED: "1" };

/** Creates the application of the recipe, beside the installed Next.js. */
function createApplication(): string {
  const folder = mkdtempSync(join(tools!, "next-"));
  cpSync(join(repository, "examples/recipes/next"), folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  // The packages are links, which Turbopack follows only within its root.
  writeFileSync(join(folder, "next.config.mjs"), 'export default { turbopack: { root: "/" } };');
  mkdirSync(join(folder, "node_modules/@throughline"), { recursive: true });
  for (const name of readdirSync(join(repository, "packages"))) {
    symlinkSync(join(repository, "packages", name), join(folder, "node_modules/@throughline", name));
  }
  return folder;
}

function next(folder: string, ...args: string[]): ChildProcessWithoutNullStreams {
  const program = join(tools!, "node_modules/next/dist/bin/next");
  return spawn(process.execPath, [program, ...args], { cwd: folder, env: environment });
}

describe.skipIf(!isInstalled)("Next.js", () => {
  const lines: string[] = [];
  let folder: string;
  let output: string;
  let app: ChildProcess;
  let url: string;

  const service = http.createServer((req, res) => {
    if (req.url !== "/silent") res.end(JSON.stringify(req.headers));
  });
  let serviceUrl: string;

  beforeAll(async () => {
    await once(service.listen(0, "127.0.0.1"), "listening");
    serviceUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    folder = createApplication();
    const build = next(folder, "build");
    app = build;
    const exited = once(build, "exit");
    output = (await Promise.all([text(build.stdout), text(build.stderr)])).join("");
    expect([await exited, output]).toEqual([[0, null], expect.anything()]);

    const listening = Promise.withResolvers<string>();
    const server = next(folder, "start", "--hostname", "127.0.0.1", "--port", "0");
    app = server;
    server.once("exit", () => listening.reject(new Error(lines.join("\n"))));
    server.stderr.resume();
    createInterface(server.stdout).on("line", (line) => {
      lines.push(line);
      const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
      if (origin !== undefined) listening.resolve(origin);
    });
    url = await listening.promise;
  }, 180_000);

  afterAll(() => {
    app?.kill("SIGKILL");
    service.close();
    service.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  it("builds for Node and for the edge runtime without a warning of modules or variables that it lacks", () => {
    expect(output).not.toMatch(/A Node\.js (?:API|module) is/);
  });

  it("a route handler has the deadline of its caller", async () => {
    const response = await fetch(`${url}/items/1`, { headers: { "grpc-timeout": "1S" } });
    const { id, left } = (await response.json()) as { id: string; left: number };
    expect([response.status, id]).toEqual([200, "1"]);
    expect(left).toBeLessThanOrEqual(1000);
    expect(left).toBeGreaterThan(0);
  });

  it("a route handler has the limit that proxy.ts has set", async () => {
    const response = await fetch(`${url}/items/2`);
    const { left } = (await response.json()) as { left: number };
    expect(left).toBeLessThanOrEqual(2000);
    expect(left).toBeGreaterThan(0);
  });

  it("a route handler that does not answer is answered 504 at its deadline", async () => {
    const response = await fetch(`${url}/items/slow`, { headers: { "grpc-timeout": "150m" } });
    expect([response.status, await response.json()]).toMatchObject([504, { title: "Deadline exceeded" }]);
  });

  it("a client that leaves ends the context of its route handler", async () => {
    lines.length = 0;
    await expect(fetch(`${url}/items/slow`, { signal: AbortSignal.timeout(300) })).rejects.toThrow();
    await expect.poll(() => lines).toContain("item slow ended: AbortError");
  });

  it("a route handler in the edge runtime sends the time that is left", async () => {
    const response = await fetch(`${url}/edge?next=${serviceUrl}`, { headers: { "grpc-timeout": "900m" } });
    const headers = (await response.json()) as Record<string, string>;
    expect(headers["grpc-timeout"]).toMatch(/^[1-8]\d\dm$/);
  });

  it("a route handler in the edge runtime is answered 504 at its deadline", async () => {
    const headers = { "grpc-timeout": "200m" };
    const response = await fetch(`${url}/edge?next=${serviceUrl}/silent`, { headers });
    expect([response.status, await response.json()]).toMatchObject([504, { title: "Deadline exceeded" }]);
  });
});
