import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

const REGISTER = new URL("../dist/register.js", import.meta.url).href;
const APPLICATION = fileURLToPath(new URL("register.fixture.mjs", import.meta.url));

interface Played {
  readonly code: number | null;
  readonly signal: string | null;
  readonly paths: string[];
  readonly said: string;
}

/** Runs an application with telemetry registered before it, and returns how it ended and what was sent. */
async function play(what: string, status = 200): Promise<Played> {
  const paths: string[] = [];
  const server = http.createServer((req, res) => {
    paths.push(req.url!);
    req.resume();
    res.writeHead(status).end();
    if (what === "exits") child.kill("SIGUSR2");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const child = spawn(process.execPath, ["--import", REGISTER, APPLICATION, what], {
    env: {
      ...process.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.once("data", () => child.kill("SIGTERM"));
  const said = text(child.stderr);
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  server.close();
  return { code, signal, paths, said: await said };
}

it.each([
  ["ends of itself", "ends", { code: 0, signal: null }],
  ["is told to end, and does not listen for that", "waits", { code: null, signal: "SIGTERM" }],
  ["is told to end, and drains first", "drains", { code: 3, signal: null }],
  ["is told to end, drains, and then exits by force", "exits", { code: 4, signal: null }],
])("sends the last span of an application that %s", async (_name, what, ended) => {
  expect(await play(what)).toMatchObject({ ...ended, paths: ["/v1/traces"] });
});

it("says on the console what the collector refuses", async () => {
  expect((await play("ends", 400)).said).toMatch(/400|Bad Request/);
});
