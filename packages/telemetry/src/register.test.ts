import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

const REGISTER = new URL("../dist/register.js", import.meta.url).href;
const APPLICATION = fileURLToPath(new URL("register.fixture.mjs", import.meta.url));

/** A module that makes the process look like the first one of a container. */
const FIRST_PROCESS = "data:text/javascript,Object.defineProperty(process, 'pid', { value: 1 })";

/** Runs a command as the first process of a container. */
const CONTAINER = ["unshare", "--pid", "--fork", "--user", "--map-root-user", "--mount-proc"];
const hasContainers = spawnSync(CONTAINER[0]!, [...CONTAINER.slice(1), "true"]).status === 0;

interface Result {
  readonly code: number | null;
  readonly signal: string | null;
  readonly paths: string[];
  readonly stderr: string;
  readonly took: number;
}

interface RunOptions {
  /** The status that the collector responds with; "down" if it is not running. */
  readonly collector?: number | "down";
  readonly imports?: readonly string[];
  readonly command?: readonly string[];
}

/** Runs the application with `--import register`, and returns how it ended and what it exported. */
async function runApplication(
  what: string,
  { collector = 200, imports = [REGISTER], command = [] }: RunOptions = {},
): Promise<Result> {
  const paths: string[] = [];
  const server = http.createServer((req, res) => {
    paths.push(req.url!);
    req.resume();
    res.writeHead(collector === "down" ? 500 : collector).end();
    if (what === "exits" || what === "survives") child.kill("SIGUSR2");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  if (collector === "down") server.close();
  const from = performance.now();
  const [program, ...args] = [...command, process.execPath, ...imports.flatMap((each) => ["--import", each])];
  const child = spawn(program!, [...args, APPLICATION, what], {
    env: {
      ...process.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.once("data", () => child.kill("SIGTERM"));
  const stderr = text(child.stderr);
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  const took = performance.now() - from;
  server.close();
  return { code, signal, paths, stderr: await stderr, took };
}

it.each([
  ["ends by itself", "ends", { code: 0, signal: null }],
  ["gets a signal and has no listener for it", "waits", { code: null, signal: "SIGTERM" }],
  ["gets a signal and drains first", "drains", { code: 3, signal: null }],
  ["gets a signal, drains, and calls process.exit()", "exits", { code: 4, signal: null }],
  ["has its own listener for exceptions, and exits", "survives", { code: 5, signal: null }],
])("exports the last span of an application that %s", async (_name, what, ended) => {
  expect(await runApplication(what)).toMatchObject({ ...ended, paths: ["/v1/traces"] });
});

it("logs an export that the collector rejects", async () => {
  expect((await runApplication("ends", { collector: 400 })).stderr).toMatch(/400|Bad Request/);
});

describe("an application that fails", () => {
  /** The lines without the mark below the source line, which points at `new TypeError` instead of `throw`. */
  const message = (stderr: string): string[] => stderr.split("\n").filter((line) => !/^\s*\^$/.test(line));

  it.each(["throws", "rejects"])("%s: its last span is exported, and it ends as without telemetry", async (what) => {
    const without = await runApplication(what, { imports: ["data:text/javascript,"] });
    const { code, paths, stderr } = await runApplication(what);
    expect(paths).toEqual(["/v1/traces"]);
    expect(code).toBe(1);
    expect(without.code).toBe(1);
    expect(stderr).toContain("TypeError: it is broken");
    expect(stderr).toContain("exit 1");
    expect(message(stderr)).toEqual(message(without.stderr));
  });

  it("again during the last export ends with the first failure", async () => {
    const { code, paths, stderr } = await runApplication("throws twice");
    expect([code, paths]).toEqual([1, ["/v1/traces"]]);
    expect(stderr.match(/TypeError: .*/g)).toEqual(["TypeError: it is broken"]);
  });

  it("ends after a second if the collector is down", async () => {
    const { code, stderr, took } = await runApplication("throws", { collector: "down" });
    expect([code, stderr]).toEqual([1, expect.stringContaining("TypeError: it is broken")]);
    expect(took).toBeLessThan(4_000);
  });
});

describe("the first process of a container", () => {
  it("ends at a signal, which the kernel ignores for it", async () => {
    expect(await runApplication("waits", { imports: [FIRST_PROCESS, REGISTER] })).toMatchObject({
      code: 143,
      paths: ["/v1/traces"],
    });
  });

  it.skipIf(!hasContainers)("ends at a signal in a container", async () => {
    const ended = await runApplication("ends itself", { command: CONTAINER });
    expect(ended).toMatchObject({ code: 143, paths: ["/v1/traces"] });
  });
});

describe("a worker thread", () => {
  it("exports its last span when the main thread gets a signal", async () => {
    const ended = { code: null, signal: "SIGTERM", paths: ["/v1/traces", "/v1/traces"] };
    expect(await runApplication("has a thread")).toMatchObject(ended);
  });

  it("that fails exports its last span, and reports its error to the main thread", async () => {
    const { code, stderr, paths } = await runApplication("has a thread that throws");
    expect([code, paths.length]).toEqual([6, 1]);
    expect(stderr).toContain("the thread has failed: it is broken");
  });
});
