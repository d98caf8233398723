import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

const REGISTER = new URL("../dist/register.js", import.meta.url).href;
const APPLICATION = fileURLToPath(new URL("register.fixture.mjs", import.meta.url));

/** To be loaded before it: a process that believes to be the first of a container. */
const FIRST = "data:text/javascript,Object.defineProperty(process, 'pid', { value: 1 })";

/** Runs what follows as the first process of a container. */
const CONTAINER = ["unshare", "--pid", "--fork", "--user", "--map-root-user", "--mount-proc"];
const hasContainers = spawnSync(CONTAINER[0]!, [...CONTAINER.slice(1), "true"]).status === 0;

interface Played {
  readonly code: number | null;
  readonly signal: string | null;
  readonly paths: string[];
  readonly said: string;
  readonly took: number;
}

interface Playing {
  /** How the collector answers; "down" for one that is not there. */
  readonly collector?: number | "down";
  readonly imports?: readonly string[];
  readonly command?: readonly string[];
}

/** Runs an application with telemetry registered before it, and returns how it ended and what was sent. */
async function play(
  what: string,
  { collector = 200, imports = [REGISTER], command = [] }: Playing = {},
): Promise<Played> {
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
  const said = text(child.stderr);
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  const took = performance.now() - from;
  server.close();
  return { code, signal, paths, said: await said, took };
}

it.each([
  ["ends of itself", "ends", { code: 0, signal: null }],
  ["is told to end, and does not listen for that", "waits", { code: null, signal: "SIGTERM" }],
  ["is told to end, and drains first", "drains", { code: 3, signal: null }],
  ["is told to end, drains, and then exits by force", "exits", { code: 4, signal: null }],
  ["listens for exceptions itself, and exits then", "survives", { code: 5, signal: null }],
])("sends the last span of an application that %s", async (_name, what, ended) => {
  expect(await play(what)).toMatchObject({ ...ended, paths: ["/v1/traces"] });
});

it("says on the console what the collector refuses", async () => {
  expect((await play("ends", { collector: 400 })).said).toMatch(/400|Bad Request/);
});

describe("an application that fails", () => {
  /** Without the mark below the line of the source: it points at `new TypeError`, not at `throw`. */
  const message = (said: string): string[] => said.split("\n").filter((line) => !/^\s*\^$/.test(line));

  it.each(["throws", "rejects"])(
    "%s: its last span is sent, and it ends as it would without telemetry",
    async (what) => {
      const without = await play(what, { imports: ["data:text/javascript,"] });
      const { code, paths, said } = await play(what);
      expect(paths).toEqual(["/v1/traces"]);
      expect(code).toBe(1);
      expect(without.code).toBe(1);
      expect(said).toContain("TypeError: it is broken");
      expect(said).toContain("exit 1");
      expect(message(said)).toEqual(message(without.said));
    },
  );

  it("again while the last span is being sent ends by the first failure", async () => {
    const { code, paths, said } = await play("throws twice");
    expect([code, paths]).toEqual([1, ["/v1/traces"]]);
    expect(said.match(/TypeError: .*/g)).toEqual(["TypeError: it is broken"]);
  });

  it("ends after a second though the collector is down", async () => {
    const { code, said, took } = await play("throws", { collector: "down" });
    expect([code, said]).toEqual([1, expect.stringContaining("TypeError: it is broken")]);
    expect(took).toBeLessThan(4_000);
  });
});

describe("the first process of a container", () => {
  it("ends when it is told to, though the kernel does not end it", async () => {
    expect(await play("waits", { imports: [FIRST, REGISTER] })).toMatchObject({ code: 143, paths: ["/v1/traces"] });
  });

  it.skipIf(!hasContainers)("does so in a container", async () => {
    const ended = await play("ends itself", { command: CONTAINER });
    expect(ended).toMatchObject({ code: 143, paths: ["/v1/traces"] });
  });
});

describe("a worker thread", () => {
  it("sends its last span when the main thread is told to end", async () => {
    const ended = { code: null, signal: "SIGTERM", paths: ["/v1/traces", "/v1/traces"] };
    expect(await play("has a thread")).toMatchObject(ended);
  });

  it("that fails sends its last span, and gives its error to the main thread", async () => {
    const { code, said, paths } = await play("has a thread that throws");
    expect([code, paths.length]).toEqual([6, 1]);
    expect(said).toContain("the thread has failed: it is broken");
  });
});
