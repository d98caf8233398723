import async_hooks from "node:async_hooks";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { EdgeVM } from "@edge-runtime/vm";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it } from "vitest";

import type * as Worker from "./worker.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** The program as one script, and the modules that it requires. Without tree shaking, as in a development server. */
async function bundle(): Promise<{ code: string; imports: string[] }> {
  const packages = fileURLToPath(new URL("../../packages/", import.meta.url));
  const bundle = await rolldown({
    input: fileURLToPath(new URL("worker.ts", import.meta.url)),
    platform: "neutral",
    treeshake: false,
    external: /^node:/,
    transform: { define: { "import.meta": "{}" } },
    resolve: { conditionNames: ["edge-light", "import"], mainFields: ["module", "main"] },
    plugins: [
      {
        name: "packages from source",
        resolveId(id) {
          const [, name, entry = "index"] = /^@throughline\/(\w+)(?:\/(\w+))?$/.exec(id) ?? [];
          return name === undefined ? undefined : `${packages}${name}/src/${entry}.ts`;
        },
      },
    ],
  });
  const { output } = await bundle.generate({ format: "cjs" });
  const [{ code, imports }] = output;
  return { code, imports };
}

let program: { code: string; imports: string[] };
let worker: typeof Worker;
let url: string;

const server = http.createServer((req, res) => {
  if (req.url === "/silent") return;
  res.end(JSON.stringify(req.headers));
});

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  program = await bundle();
  const vm = new EdgeVM();
  // What the edge runtime of Next.js offers: this one module that the program needs, and a `process` with an `env`.
  vm.context["require"] = (id: string) => {
    if (id !== "node:async_hooks") throw new TypeError(`Native module not found: ${id}`);
    const { AsyncLocalStorage, AsyncResource } = async_hooks;
    return { AsyncLocalStorage, AsyncResource };
  };
  vm.context["process"] = {
    env: {},
    getBuiltinModule() {
      throw new Error("A Node.js API is used (process.getBuiltinModule) which is not supported in the Edge Runtime.");
    },
  };
  vm.context["exports"] = worker = {} as typeof Worker;
  vm.evaluate(program.code);
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
});

it("context, http, fetch and hono import no module of Node that edge runtimes lack", () => {
  expect(program.imports).toEqual(["node:async_hooks"]);
});

it("a call sends the time that is left", async () => {
  const { body } = await worker.call(url, 2000);
  expect((JSON.parse(body!) as Record<string, string>)["grpc-timeout"]).toMatch(/^1\d\d\dm$/);
});

it("a call ends at its deadline, with the error of the context", async () => {
  expect(await worker.call(`${url}/silent`, 50)).toEqual({ error: "TimeoutError", isOwn: true });
});

it("outboundHeaders returns the time that is left", () => {
  expect(worker.headers(2000)["grpc-timeout"]).toMatch(/^(?:1\d\d\d|2000)m$/);
});

it("a context ends with a signal", () => {
  expect(worker.endsWithSignal()).toBe(true);
});

it("a fetch handler has the deadline and the trace of its caller", async () => {
  const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
  const { status, body } = await worker.serve("/", { "grpc-timeout": "1S", traceparent });
  const { left, trace } = JSON.parse(body) as { left: number; trace: string };
  expect([status, trace]).toEqual([200, TRACE]);
  expect(left).toBeGreaterThan(100);
  expect(left).toBeLessThanOrEqual(1000);
});

it("a fetch handler without a caller's trace has one of its own", async () => {
  const { body } = await worker.serve("/", {});
  expect((JSON.parse(body) as { trace: string }).trace).toMatch(/^[\da-f]{32}$/);
});

it("a fetch handler sends its deadline and its trace to the next service", async () => {
  const { body } = await worker.serve("/next", { next: url, traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
  const sent = JSON.parse(body) as Record<string, string>;
  expect(sent["grpc-timeout"]).toMatch(/^1\d\d\dm$/);
  expect(sent["traceparent"]).toMatch(new RegExp(`^00-${TRACE}-[\\da-f]{16}-`));
});

it("a fetch handler that does not answer is answered 504 at its deadline", async () => {
  const { status, body } = await worker.serve("/stuck", { "grpc-timeout": "50m" });
  expect([status, JSON.parse(body)]).toMatchObject([504, { title: "Deadline exceeded" }]);
});

it("a handler of Hono has the deadline of its caller", async () => {
  const { status, body } = await worker.serveHono({ "grpc-timeout": "1S" });
  const { left } = JSON.parse(body) as { left: number };
  expect(status).toBe(200);
  expect(left).toBeGreaterThan(100);
  expect(left).toBeLessThanOrEqual(1000);
});
