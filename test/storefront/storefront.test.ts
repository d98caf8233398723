import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { describe, expect, it, vi } from "vitest";

import { typescript } from "../support/typescript.ts";

const MAIN = fileURLToPath(new URL("../../examples/storefront/main.ts", import.meta.url));

interface Played {
  readonly code: number;
  readonly output: string;
}

/** Plays the scenarios in processes of their own, as `npm start -- --once` does, with something broken if asked. */
async function play(sabotage?: string, environment: Record<string, string> = {}): Promise<Played> {
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
  it("shows what its four scenarios claim", { timeout: 60_000 }, async () => {
    const { code, output } = await play();

    expect(output).toContain("4 of 4 scenarios showed what they claim");
    expect(output).not.toContain("NOT SO");
    expect(code).toBe(0);
  });

  it("sends its spans to the operator's collector instead, if there is one", { timeout: 60_000 }, async () => {
    const paths = new Set<string>();
    const collector = http.createServer((req, res) => {
      paths.add(`${req.url} ${req.headers["content-type"]}`);
      req.resume();
      res.end();
    });
    collector.listen(0, "127.0.0.1");
    await once(collector, "listening");
    const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const { code, output } = await play(undefined, {
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

describe("the storefront, left running", () => {
  it(
    "takes another port if its own is taken, answers there, and drains and ends well at a Ctrl-C",
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

      // As npm does: the terminal sends it to the whole group, and npm to its child once more.
      child.kill("SIGINT");
      child.kill("SIGINT");
      const [code] = (await once(child, "exit")) as [number];
      expect(output).toContain("Draining ...");
      expect(code).toBe(0);
    },
  );
});

// What a scenario claims is worth nothing if it would be claimed anyway: each is played again with what it rests on broken.
describe("with something broken, the storefront says what it no longer shows", () => {
  it.each([
    ["traces are not passed on", "no-trace", "all seven services took part, in one trace"],
    ["deadlines are not passed on", "no-deadline", "what is left of the deadline shrinks from hop to hop"],
    ["fan-outs do not end at a deadline", "no-partial-answer", "the answer is partial, and in time"],
    ["services do not see their client leave", "no-disconnect", "each that was at work saw that its client had left"],
    ["deadlines are not looked at on arrival", "no-refusal", "the answer is 504, a problem document"],
  ])("%s", { timeout: 60_000 }, async (_what, sabotage, claim) => {
    const { code, output } = await play(sabotage);

    expect(output).toContain(`✗ NOT SO: ${claim}`);
    expect(code).toBe(1);
  });
});
