import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { describe, expect, it, vi } from "vitest";

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
  it("passes its four scenarios", { timeout: 60_000 }, async () => {
    const { code, output } = await runScenarios();

    expect(output).toContain("4 of 4 scenarios showed what they claim");
    expect(output).not.toContain("NOT SO");
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
      });
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
      child.kill("SIGINT");
      child.kill("SIGINT");
      const [code] = (await once(child, "exit")) as [number];
      expect(output).toContain("Draining ...");
      expect(code).toBe(0);
    },
  );
});

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
  ])("%s", { timeout: 60_000 }, async (_what, sabotage, claim) => {
    const { code, output } = await runScenarios(sabotage);

    expect(output).toContain(`✗ NOT SO: ${claim}`);
    expect(code).toBe(1);
  });
});
