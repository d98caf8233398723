import { once } from "node:events";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createApplication, isInstalled, Program, repository } from "./linked-application.ts";
import { itPassesDeadlinesToRoutes } from "./route-behavior.ts";

const NEXT = "next/dist/bin/next";

describe.skipIf(!isInstalled("next"))("Next.js", () => {
  let folder: string;
  let output: string;
  let program: Program;
  let url: string;

  const service = http.createServer((req, res) => {
    if (req.url !== "/silent") res.end(JSON.stringify(req.headers));
  });
  let serviceUrl: string;

  beforeAll(async () => {
    await once(service.listen(0, "127.0.0.1"), "listening");
    serviceUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    folder = createApplication("next");
    cpSync(join(repository, "examples/recipes/next"), folder, { recursive: true });
    // Turbopack follows the links to the packages only within its root.
    writeFileSync(join(folder, "next.config.mjs"), 'export default { turbopack: { root: "/" } };');
    program = new Program(folder, NEXT, ["build"]);
    output = await program.output();
    program = new Program(folder, NEXT, ["start", "--hostname", "127.0.0.1", "--port", "0"]);
    url = await program.listening();
  }, 180_000);

  afterAll(async () => {
    await program?.stop();
    service.close();
    service.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  it("builds for Node and for the edge runtime without a warning of modules or variables that it lacks", () => {
    expect(output).not.toMatch(/A Node\.js (?:API|module) is/);
  });

  itPassesDeadlinesToRoutes("a route handler", () => url);

  it("a route handler has the limit that proxy.ts has set", async () => {
    const response = await fetch(`${url}/items/2`);
    const { left } = (await response.json()) as { left: number };
    expect(left).toBeLessThanOrEqual(2000);
    expect(left).toBeGreaterThan(0);
  });

  it("a client that leaves ends the context of its route handler", async () => {
    program.lines.length = 0;
    await expect(fetch(`${url}/items/slow`, { signal: AbortSignal.timeout(300) })).rejects.toThrow();
    await expect.poll(() => program.lines).toContain("item slow ended: AbortError");
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
