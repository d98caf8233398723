import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { describe, expect, it, onTestFinished, vi } from "vitest";

import { hasNats } from "../support/nats.ts";
import { typescript } from "../support/typescript.ts";

const MAIN = fileURLToPath(new URL("../../examples/storefront/main.ts", import.meta.url));

interface RunResult {
  readonly code: number;
  readonly output: string;
}

/** Runs the scenarios as `npm start -- --once` does. @param sabotage a module that breaks one feature */
async function runScenarios(sabotage?: string, environment: Record<string, string> = {}): Promise<RunResult> {
  const broken =
    sabotage === undefined
      ? {}
      : { NODE_OPTIONS: `--import ${new URL(`./sabotage/${sabotage}.mjs`, import.meta.url).href}` };
  const child = spawn(process.execPath, [...typescript, MAIN, "--once"], {
    env: { ...process.env, NODE_OPTIONS: "", ...broken, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code: code as number, output: output + errors };
}

describe("the storefront", () => {
  it("passes its five scenarios, of which one sends a message if NATS is installed", { timeout: 60_000 }, async () => {
    const { code, output } = await runScenarios();

    expect(output).toContain("5 of 5 scenarios showed what they claim");
    expect(output).not.toContain("NOT SO");
    expect(code).toBe(0);
    if (!hasNats()) return console.warn("SKIPPED: the storefront's queue: NATS is not installed");
    expect(output).toContain("Starting 8 services");
    expect(output).toMatch(/^gateway {2,}→ send orders .*\n+^warehouse {2,}process orders /m);
    expect(output).toContain("✓ it went through the queue");
  });

  it("passes them on a machine without PostgreSQL and NATS, and says so", { timeout: 60_000 }, async () => {
    const { code, output } = await runScenarios("no-servers");

    expect(output).toContain("NATS is not here: the gateway books the orders itself, without a queue.\n");
    expect(output).toContain("Starting 7 services");
    expect(output).toContain("5 of 5 scenarios showed what they claim");
    expect(output).toContain("✓ it was booked");
    expect(output).not.toContain("through the queue");
    expect(code).toBe(0);
  });

  it("sends its spans to the collector that the environment names", { timeout: 60_000 }, async () => {
    const paths = new Set<string>();
    const collector = http.createServer((req, res) => {
      paths.add(`${req.url} ${req.headers["content-type"]}`);
      req.resume();
      res.end();
    });
    collector.listen(0, "127.0.0.1");
    await once(collector, "listening");
    const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const { code, output } = await runScenarios(undefined, {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
    });
    collector.close();

    expect(output).toContain(`went to ${url}`);
    expect([...paths]).toEqual(["/v1/traces application/x-protobuf"]);
    expect(code).toBe(0);
  });
});

describe("the running storefront", () => {
  it(
    "uses another port if its own is in use, responds there, and drains and exits with code 0 at Ctrl-C",
    { timeout: 60_000 },
    async () => {
      const taken = http.createServer().listen(0, "127.0.0.1");
      await once(taken, "listening");
      const { port } = taken.address() as AddressInfo;
      const child = spawn(process.execPath, [...typescript, MAIN], {
        env: { ...process.env, NODE_OPTIONS: "", PORT: String(port) },
        stdio: ["ignore", "pipe", "pipe"],
        // A group of its own, as in a terminal.
        detached: true,
      });
      // Also after a failure: the services and their servers would go on without the test.
      onTestFinished(() => void child.kill("SIGTERM"));
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
      await vi.waitUntil(() => output.includes("Ctrl-C drains and ends it"), { timeout: 30_000 });
      taken.close();

      expect(output).toContain(`Port ${port} is taken`);
      const [, token] = /TOKEN=(\S+)/.exec(output)!;
      const [, url] = /"grpc-timeout: 1S" "(\S+)"/.exec(output)!;
      const response = await fetch(url!, { headers: { authorization: `Bearer ${token}`, "grpc-timeout": "1S" } });
      expect(await response.json()).toMatchObject({ complete: true, for: "ada", stockFor: "ada" });
      expect((await fetch(url!)).status).toBe(401);

      // Two signals, as with npm: the terminal signals the whole group, and npm signals its child again.
      process.kill(-child.pid!, "SIGINT");
      child.kill("SIGINT");
      const [code] = (await once(child, "close")) as [number];
      expect(output).toMatch(/Ctrl-C drains and ends it\.\n\nDraining \.\.\.\n$/);
      expect(code).toBe(0);
    },
  );
});

const WITH_A_QUEUE: readonly [string, string, string][] = [
  ["messages carry no trace", "no-message-trace", "it went through the queue"],
  ["a message has the deadline of its request", "no-lifetime", "it was booked"],
];

// Each scenario must fail if the feature that it demonstrates is broken.
describe("the storefront with a broken feature reports the claim that fails", () => {
  it.each([
    ["traces are not sent", "no-trace", "all seven services took part, in one trace"],
    ["deadlines are not sent", "no-deadline", "what is left of the deadline shrinks from hop to hop"],
    ["fan-outs do not end at a deadline", "no-partial-answer", "the answer is partial, and in time"],
    [
      "services do not notice that a client disconnects",
      "no-disconnect",
      "each that was at work saw that its client had left",
    ],
    ["deadlines are not checked on arrival", "no-refusal", "the answer is 504, a problem document"],
    ...(hasNats() ? WITH_A_QUEUE : []),
  ])("%s", { timeout: 60_000 }, async (_what, sabotage, claim) => {
    const { code, output } = await runScenarios(sabotage);

    expect(output).toContain(`✗ NOT SO: ${claim}`);
    expect(code).toBe(1);
  });
});
