import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { hasWorkerd, type Runtime, startEdgeRuntime, startWorkerd } from "./runtimes.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

if (!hasWorkerd) {
  console.warn(
    "\n!!! SKIPPED: Cloudflare's workerd: not installed. Install test/tools/package.json in a separate folder and set THROUGHLINE_TOOLS to it. !!!\n",
  );
}

let url: string;

const service = http.createServer((req, res) => {
  if (req.url === "/silent") return;
  res.end(JSON.stringify(req.headers));
});

beforeAll(async () => {
  await once(service.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
});

afterAll(() => {
  service.close();
  service.closeAllConnections();
});

describe.each([
  ["the edge runtime of Next.js and Vercel", true, startEdgeRuntime],
  ["Cloudflare's workerd", hasWorkerd, startWorkerd],
])("%s", (_name, isInstalled, start) => {
  describe.skipIf(!isInstalled)("runs context, http, fetch and hono", () => {
    let runtime: Runtime;

    beforeAll(async () => {
      runtime = await start();
    }, 60_000);
    afterAll(() => runtime?.stop());

    it("which import no module of Node that it lacks", () => {
      expect(runtime.imports).toEqual(["node:async_hooks"]);
    });

    it("a call sends the time that is left", async () => {
      const { body } = await runtime.call("call", url, 2000);
      expect((JSON.parse(body!) as Record<string, string>)["grpc-timeout"]).toMatch(/^(?:1\d\d\d|2000)m$/);
    });

    it("a call ends at its deadline, with the error of the context", async () => {
      expect(await runtime.call("call", `${url}/silent`, 50)).toEqual({ error: "TimeoutError", isOwn: true });
    });

    it("outboundHeaders returns the time that is left", async () => {
      expect((await runtime.call("headers", 2000))["grpc-timeout"]).toMatch(/^(?:1\d\d\d|2000)m$/);
    });

    it("a context ends with a signal", async () => {
      expect(await runtime.call("endsWithSignal")).toBe(true);
    });

    it("a fetch handler has the deadline and the trace of its caller", async () => {
      const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
      const { status, body } = await runtime.call("serve", "/", { "grpc-timeout": "1S", traceparent });
      const { left, trace } = JSON.parse(body) as { left: number; trace: string };
      expect([status, trace]).toEqual([200, TRACE]);
      expect(left).toBeGreaterThan(100);
      expect(left).toBeLessThanOrEqual(1000);
    });

    it("a fetch handler without a caller's trace has one of its own", async () => {
      const { body } = await runtime.call("serve", "/", {});
      expect((JSON.parse(body) as { trace: string }).trace).toMatch(/^[\da-f]{32}$/);
    });

    it("a fetch handler sends its deadline and its trace to the next service", async () => {
      const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
      const { body } = await runtime.call("serve", "/next", { next: url, traceparent });
      const sent = JSON.parse(body) as Record<string, string>;
      expect(sent["grpc-timeout"]).toMatch(/^(?:1\d\d\d|2000)m$/);
      expect(sent["traceparent"]).toMatch(new RegExp(`^00-${TRACE}-[\\da-f]{16}-`));
    });

    it("a fetch handler that does not answer is answered 504 at its deadline", async () => {
      const { status, body } = await runtime.call("serve", "/stuck", { "grpc-timeout": "50m" });
      expect([status, JSON.parse(body)]).toMatchObject([504, { title: "Deadline exceeded" }]);
    });

    // Cloudflare Workers clear the timers of a request when it ends.
    it("deadlines of requests do not depend on the timers of requests that have ended", async () => {
      await runtime.call("serve", "/", { "grpc-timeout": "200m" });
      const stuck = ["350m", "300m"].map((timeout) => runtime.call("serve", "/stuck", { "grpc-timeout": timeout }));
      expect(await Promise.all(stuck)).toMatchObject([{ status: 504 }, { status: 504 }]);
    });

    it("a handler of Hono has the deadline of its caller", async () => {
      const { status, body } = await runtime.call("serveHono", { "grpc-timeout": "1S" });
      const { left } = JSON.parse(body) as { left: number };
      expect(status).toBe(200);
      expect(left).toBeGreaterThan(100);
      expect(left).toBeLessThanOrEqual(1000);
    });
  });
});
