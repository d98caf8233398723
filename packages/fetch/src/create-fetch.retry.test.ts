import type http from "node:http";
import net, { type AddressInfo } from "node:net";

import { background, run, withTimeout } from "@throughline/context";
import { callsOf, outcomeOf } from "@throughline/http";
import { RetryBudget } from "@throughline/resilience";
import { cleanUpAfterEach, atEnd, serve } from "@throughline/test/support/loopback.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { recordMetrics } from "@throughline/testing/metrics";
import { describe, expect, it, vi } from "vitest";

import { createFetch, type FetchOptions } from "./create-fetch.ts";

cleanUpAfterEach();

const fastRetry = { backoff: { base: 1, max: 1 } };
const fetch = createFetch({ retry: fastRetry });

/** A server that handles its requests by one step each, in order, and answers the rest with 200. */
async function serving(...steps: http.RequestListener[]) {
  const seen: { attempts: string | undefined; body: string }[] = [];
  const { url } = await serve(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const step = steps[seen.length];
    seen.push({
      attempts: req.headers["grpc-previous-rpc-attempts"] as string | undefined,
      body: Buffer.concat(chunks).toString(),
    });
    if (step === undefined) res.end("done");
    else step(req, res);
  });
  return { url, seen };
}

const status =
  (code: number, headers: Record<string, string> = {}): http.RequestListener =>
  (_req, res) =>
    void res.writeHead(code, headers).end(`status ${code}`);
const reset: http.RequestListener = (req) => void (req.socket as net.Socket).resetAndDestroy();
const stall: http.RequestListener = () => {};
const notStarted = status(503, { "throughline-outcome": "overloaded;started=?0" });

describe("a fetch that retries", () => {
  it.each<[string, http.RequestListener]>([
    ["429", status(429)],
    ["502", status(502)],
    ["503", status(503)],
    ["a proxy's 504", status(504)],
    ["a reset", reset],
  ])("retries after %s, and sends the number of the attempt", async (_what, step) => {
    const { url, seen } = await serving(step, step);
    const response = await fetch(url);

    expect([response.status, await response.text()]).toEqual([200, "done"]);
    expect(seen.map(({ attempts }) => attempts)).toEqual([undefined, "1", "2"]);
  });

  it("returns the last response, with its body, after the last attempt", async () => {
    const { url, seen } = await serving(status(503), status(503), status(503));
    const response = await fetch(url);
    expect([response.status, await response.text(), seen.length]).toEqual([503, "status 503", 3]);
  });

  it.each([200, 204, 400, 401, 404, 408, 500, 501])("does not retry after %i", async (code) => {
    const { url, seen } = await serving(status(code));
    expect((await fetch(url)).status).toBe(code);
    expect(seen.length).toBe(1);
  });

  it("retries with a body that can be sent again, which a stream cannot", async () => {
    const { url, seen } = await serving(status(503));
    await fetch(url, { method: "PUT", body: "again" });
    expect(seen.map(({ body }) => body)).toEqual(["again", "again"]);

    const other = await serving(status(503));
    const body = new Blob(["once"]).stream();
    const response = await fetch(other.url, { method: "PUT", body, duplex: "half" } as RequestInit);
    expect([response.status, other.seen.length]).toEqual([503, 1]);
  });

  it("does not retry a POST, unless it has an idempotency key", async () => {
    const plain = await serving(status(503));
    expect((await fetch(plain.url, { method: "POST" })).status).toBe(503);
    const broken = await serving(reset);
    await expect(fetch(broken.url, { method: "POST" })).rejects.toThrow("fetch failed");
    expect([plain.seen.length, broken.seen.length]).toEqual([1, 1]);

    const keyed = await serving(status(503));
    expect((await fetch(keyed.url, { method: "POST", headers: { "Idempotency-Key": "7" } })).status).toBe(200);
  });

  it("retries a POST that was not started or not sent", async () => {
    const { url, seen } = await serving(notStarted);
    expect((await fetch(url, { method: "POST", body: "x" })).status).toBe(200);
    expect(seen.length).toBe(2);

    const port = await freePort();
    setTimeout(() => void listenOn(port), 40);
    const patient = createFetch({ retry: { attempts: 20, backoff: { base: 20, max: 20 } } });
    expect(await (await patient(`http://127.0.0.1:${port}/`, { method: "POST" })).text()).toBe("here");
  });

  it("does not retry a POST that a service has redirected, whatever happens at the target", async () => {
    const port = await freePort();
    const arrived: string[] = [];
    const { url } = await serve((req, res) => {
      arrived.push(req.method!);
      res.writeHead(303, { location: `http://127.0.0.1:${port}/` }).end();
    });
    await expect(fetch(url, { method: "POST", body: "pay" })).rejects.toThrow("fetch failed");
    expect(arrived).toEqual(["POST"]);

    const draining = await serving(notStarted);
    const { url: first } = await serve((req, res) => {
      arrived.push(req.method!);
      res.writeHead(307, { location: draining.url }).end();
    });
    expect((await fetch(first, { method: "POST", body: "pay" })).status).toBe(503);
    expect(arrived).toEqual(["POST", "POST"]);
  });

  it("does not trust an outcome header that a gateway has forwarded", async () => {
    const { url } = await serving(notStarted);
    const relayed = createFetch();
    const relay = await serve(async (_req, res) => {
      const response = await relayed(url);
      res.writeHead(response.status, Object.fromEntries(response.headers)).end();
    });
    expect(outcomeOf(await relayed((await serving(notStarted)).url))).toEqual({
      outcome: "overloaded",
      started: false,
    });
    expect(outcomeOf(await relayed(relay.url))).toBeUndefined();
  });

  it("does not retry an invalid call", async () => {
    const send = vi.fn(globalThis.fetch);
    const counting = createFetch({ fetch: send, retry: fastRetry });
    await expect(counting("/relative")).rejects.toThrow(/Invalid URL|Failed to parse/);
    await expect(counting("http://x/", { signal: new AbortController() as never })).rejects.toThrow(
      /Expected signal|member signal/,
    );
    expect(send.mock.calls.length).toBe(2);
  });

  it("does not wait longer than maxRetryAfter", async () => {
    const { url, seen } = await serving(status(429, { "retry-after": "86400" }));
    expect((await fetch(url)).status).toBe(429);
    expect(seen.length).toBe(1);
  });

  it("waits for the time in Retry-After, and returns at once if that is after the deadline", async () => {
    const soon = await serving(status(503, { "retry-after": "1" }));
    const from = performance.now();
    expect((await fetch(soon.url)).status).toBe(200);
    expect(performance.now() - from).toBeGreaterThanOrEqual(1000);

    const late = await serving(status(503, { "retry-after": "3600" }));
    const [ctx] = withTimeout(background, "2s");
    const response = await run(ctx, () => fetch(late.url));
    expect([response.status, late.seen.length, ctx.err()]).toEqual([503, 1, undefined]);
  });

  it("does not retry a 504 of the service's own deadline", async () => {
    const expired = status(504, { "throughline-outcome": "deadline-exceeded;started=?1" });
    const { url, seen } = await serving(expired);
    expect((await fetch(url)).status).toBe(504);
    expect(seen.length).toBe(1);
  });

  it("aborts an attempt without a timely response head, and still reads a slow body", async () => {
    const sent: string[] = [];
    const { url } = await serving(stall, (req, res) => {
      sent.push(req.headers["grpc-timeout"] as string);
      res.write("slow ");
      setTimeout(() => res.end("body"), 250);
    });
    const patient = createFetch({ timeout: "10s", retry: { ...fastRetry, attemptTimeout: 150 } });
    expect(await (await patient(url)).text()).toBe("slow body");
    expect(sent).toEqual([expect.stringMatching(/^9\d{3}m$/)]);
  });

  it("does not retry a POST after attemptTimeout", async () => {
    const { url, seen } = await serving(stall);
    const call = createFetch({ retry: { ...fastRetry, attemptTimeout: 50 } })(url, { method: "POST" });
    await expect(call).rejects.toMatchObject({ name: "TimeoutError", source: "attemptTimeout" });
    expect(seen.length).toBe(1);
  });

  it("rejects with the context's own error, with the call's details, when it ends between attempts", async () => {
    const { url } = await serving(status(503), stall);
    const [ctx] = withTimeout(background, 120);
    const error: unknown = await run(ctx, () => fetch(url)).catch((e: unknown) => e);

    expect(error).toBe(ctx.err());
    expect(callsOf(error)).toMatchObject([{ method: "GET", url, attempt: 2, phase: "headers" }]);
  });

  it("stops when the caller's signal aborts, also between attempts", async () => {
    const { url, seen } = await serving(status(503, { "retry-after": "20" }));
    const controller = new AbortController();
    const reason = new Error("enough");
    const call = fetch(url, { signal: controller.signal }).catch((error: unknown) => error);
    setTimeout(() => controller.abort(reason), 30);
    expect(await call).toBe(reason);
    expect(seen.length).toBe(1);
  });

  it("stays within the budget of its origin", async () => {
    const { url, seen } = await serving(...Array.from({ length: 99 }, () => status(503)));
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.2, window: "10s" });
    const bounded = createFetch({ retry: { ...fastRetry, budget: () => budget } });
    for (let index = 0; index < 10; index++) await (await bounded(url)).text();
    expect(seen.length).toBe(10 + 2);
  });

  it("counts the retries that the budget of an origin permits", async () => {
    using recorded = recordMetrics();
    const { url } = await serving(status(503), status(503));
    await (await createFetch({ retry: fastRetry })(url)).text();
    expect(await recorded.series("throughline.retries")).toMatchObject([
      {
        attributes: { "throughline.retry.decision": "permitted", "throughline.retry.budget": new URL(url).origin },
        value: 2,
      },
    ]);
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("has a CLIENT span for each attempt", async () => {
      const { url } = await serving(status(503));
      await (await fetch(url)).text();
      const all = await spans.take(2);
      expect(all.map(({ attributes }) => attributes["http.response.status_code"])).toEqual([503, 200]);
      expect(all.map(({ attributes }) => attributes["http.request.resend_count"])).toEqual([undefined, 1]);
    });
  });
});

it.each<[unknown, RegExp]>([
  ["yes", /'retry' must be true, false or an object; received string "yes"/],
  [{ attempts: 0 }, /'attempts' must be a whole number, 1 or more/],
  [{ attemptTimeout: "soon" }, /'attemptTimeout' must be zero or more milliseconds/],
  [{ budget: "some" }, /'budget' must be one of "none"/],
  [{ tries: 3 }, /there is no option 'tries'/],
])("createFetch throws for the retry option %j", (retry, message) => {
  expect(() => createFetch({ retry: retry as FetchOptions["retry"] & {} })).toThrow(message);
});

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listenOn(port: number): Promise<void> {
  const http = await import("node:http");
  const server = http.createServer((_req, res) => void res.end("here")).listen(port, "127.0.0.1");
  atEnd(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
}
