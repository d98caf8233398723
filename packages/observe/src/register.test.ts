import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import http, { type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Report } from "./report.ts";

const REGISTER = new URL("../dist/register.js", import.meta.url).href;
const SERVICE = fileURLToPath(new URL("service.fixture.mjs", import.meta.url));

/** A request that the backend has received, and answers when the test says so. */
interface Received {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly res: ServerResponse;
}

let backend: http.Server;
let received: Received[];
let arrived: (() => void) | undefined;
let child: ChildProcess | undefined;

beforeEach(async () => {
  received = [];
  backend = http.createServer((req, res) => {
    received.push({ url: req.url!, headers: req.headers, res });
    arrived?.();
  });
  backend.listen(0, "127.0.0.1");
  await once(backend, "listening");
});

afterEach(() => {
  child?.kill("SIGKILL");
  backend.close().closeAllConnections();
});

async function backendCall(index: number): Promise<Received> {
  while (received.length <= index) await new Promise<void>((resolve) => (arrived = resolve));
  return received[index]!;
}

async function freePort(): Promise<number> {
  const server = http.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Service {
  readonly url: string;
  readonly stderr: Promise<string>;
  report(): Promise<Report>;
}

async function startService(framework: string, client: string, env: NodeJS.ProcessEnv = {}): Promise<Service> {
  const port = await freePort();
  const { port: backendPort } = backend.address() as AddressInfo;
  child = fork(SERVICE, [framework, `http://127.0.0.1:${backendPort}`, client], {
    execArgv: ["--import", REGISTER],
    env: { ...process.env, THROUGHLINE_OBSERVE_PORT: String(port), ...env },
    silent: true,
  });
  const stderr = text(child.stderr!);
  const [servicePort] = (await once(child, "message")) as [number];
  return {
    url: `http://127.0.0.1:${servicePort}/orders/17`,
    stderr,
    report: async () => (await (await fetch(`http://127.0.0.1:${port}/report.json`)).json()) as Report,
  };
}

/** Waits until the report fulfils a condition. */
async function reportWith(service: Service, condition: (report: Report) => boolean): Promise<Report> {
  for (;;) {
    const report = await service.report();
    if (condition(report)) return report;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A request whose client leaves while the first call runs; the handler goes on to the second. */
async function leave(service: Service): Promise<void> {
  const controller = new AbortController();
  const response = fetch(service.url, { signal: controller.signal }).catch(() => {});
  const first = await backendCall(0);
  controller.abort();
  await response;
  await reportWith(service, ({ left }) => left === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  first.res.end("first");
  (await backendCall(1)).res.end("second");
}

const frameworks = [
  ["express", "GET /orders/:id"],
  ["koa", "GET /orders/:id"],
  ["fastify", "GET /orders/:id"],
  ["http", "GET /orders/:id"],
] as const;

describe.each(frameworks)("a service with %s", (framework, route) => {
  it("is reported to work on for a client that has left", async () => {
    const service = await startService(framework, "fetch");
    await leave(service);
    const report = await reportWith(service, ({ callsAfter }) => callsAfter === 1);
    const { port } = backend.address() as AddressInfo;
    expect(report).toMatchObject({ requests: 1, withDeadline: 0, cutByDeadline: 0, left: 1 });
    expect(report.routes).toMatchObject([{ route, callsAfter: { [`127.0.0.1:${port}`]: 1 } }]);
    expect(report.workAfterMs).toBeGreaterThanOrEqual(50);
  });

  it("is reported to be late for a deadline, and is neither stopped nor changed", async () => {
    const service = await startService(framework, "fetch");
    const pending = fetch(service.url, { headers: { "grpc-timeout": "400m" } });
    const first = await backendCall(0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    first.res.end("first");
    const second = await backendCall(1);
    second.res.end("second");
    const response = await pending;
    expect([response.status, await response.text()]).toEqual([200, "done"]);
    for (const { headers } of [first, second]) {
      expect(Object.keys(headers).filter((name) => /timeout|trace|baggage|throughline/.test(name))).toEqual([]);
    }
    const report = await reportWith(service, ({ requests }) => requests === 1);
    expect(report).toMatchObject({ withDeadline: 1, cutByDeadline: 1, left: 0, callsAfter: 1 });
    expect(report.routes).toMatchObject([{ route, cutByDeadline: { "grpc-timeout": 1 } }]);
    expect(report.routes[0]!.maxLateMs).toBeGreaterThanOrEqual(80);
  });
});

it("observes the calls of node:http", async () => {
  const service = await startService("express", "http");
  await leave(service);
  expect(await reportWith(service, ({ callsAfter }) => callsAfter === 1)).toMatchObject({ left: 1 });
});

it("reports what a limit would end", async () => {
  const service = await startService("express", "fetch", { THROUGHLINE_OBSERVE_LIMIT: "400ms" });
  const pending = fetch(service.url);
  const first = await backendCall(0);
  await new Promise((resolve) => setTimeout(resolve, 500));
  first.res.end();
  (await backendCall(1)).res.end();
  await (await pending).text();
  const report = await reportWith(service, ({ requests }) => requests === 1);
  expect(report.routes).toMatchObject([{ cutByDeadline: { "assumed limit": 1 } }]);
});

it("counts requests in time, and reports no cut", async () => {
  const service = await startService("express", "fetch");
  const pending = fetch(service.url, { headers: { "grpc-timeout": "30S" } });
  (await backendCall(0)).res.end();
  (await backendCall(1)).res.end();
  await (await pending).text();
  const report = await reportWith(service, ({ requests }) => requests === 1);
  expect(report).toMatchObject({ withDeadline: 1, cutByDeadline: 0, left: 0, workAfterMs: 0, callsAfter: 0 });
});

describe("the printed report", () => {
  it.each([
    ["a signal", (service: ChildProcess) => service.kill("SIGTERM"), [null, "SIGTERM"]],
    ["process.exit()", (service: ChildProcess) => service.send("exit"), [0, null]],
  ])("appears once at %s, and the process ends as without it", async (_name, end, ended) => {
    const service = await startService("express", "fetch");
    await leave(service);
    await reportWith(service, ({ callsAfter }) => callsAfter === 1);
    end(child!);
    expect(await once(child!, "exit")).toEqual(ended);
    const lines = (await service.stderr).split("\n");
    expect(lines.filter((line) => line.startsWith("throughline: 1 requests in"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("GET /orders/:id"))).toHaveLength(1);
  });

  it("does not appear without requests", async () => {
    const service = await startService("http", "fetch");
    child!.kill("SIGTERM");
    expect(await service.stderr).toBe("");
  });
});

it("refuses a limit that is no duration", async () => {
  const service = fork(SERVICE, ["http", "http://localhost", "fetch"], {
    execArgv: ["--import", REGISTER],
    env: { ...process.env, THROUGHLINE_OBSERVE_LIMIT: "2 seconds" },
    silent: true,
  });
  const stderr = await text(service.stderr!);
  expect(stderr).toContain("Cannot observe requests: 'limit' must be");
});
