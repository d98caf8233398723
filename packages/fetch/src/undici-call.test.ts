import { AsyncResource } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";

import { background, type Context, createKey, run, withTimeout, withValue } from "@throughline/context";
import { propagateValue, textCodec, withCriticality } from "@throughline/http";
import { parseGrpcTimeout } from "@throughline/http/adapter";
import { atEnd, cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { Agent, type Dispatcher, fetch as undiciFetch, interceptors, request, RetryAgent } from "undici";
import * as undici7 from "undici7";
import { describe, expect, it, vi } from "vitest";

import { type ContextFetch, createFetch } from "./create-fetch.ts";
import { contextInterceptor } from "./undici-interceptor.ts";

cleanUpAfterEach();

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "x-tenant", codec: textCodec, maxBytes: 64, as: "header" });

const fetchOfUndici = undiciFetch as unknown as typeof globalThis.fetch;

/** undici's fetch with a dispatcher of its own. */
function fetchBy(dispatcher: { destroy(): Promise<void> }, fetch: unknown = undiciFetch): typeof globalThis.fetch {
  atEnd(() => dispatcher.destroy());
  const send = fetch as typeof globalThis.fetch;
  return (input, init) => send(input, { ...init, dispatcher } as unknown as RequestInit);
}

interface Received {
  readonly path: string;
  readonly tenant: string | undefined;
  /** The remaining time in milliseconds. */
  readonly left: number | undefined;
}

type Listener = Parameters<typeof serve>[0];

/** A server that records its requests. */
async function recordingServer(answer: Listener): Promise<{ url: string; seen: Received[] }> {
  const seen: Received[] = [];
  const { url } = await serve((req, res) => {
    const { "x-tenant": tenant, "grpc-timeout": sent } = req.headers as Record<string, string | undefined>;
    seen.push({ path: req.url!, tenant, left: sent === undefined ? undefined : parseGrpcTimeout(sent) });
    answer(req, res);
  });
  return { url, seen };
}

/** A server with two connections in use until `free` is called. */
async function busyServer(send: typeof globalThis.fetch): Promise<{ url: string; seen: Received[]; free: () => void }> {
  const freed = Promise.withResolvers<void>();
  const server = await recordingServer((req, res) => {
    if (req.url === "/taken") void freed.promise.then(() => res.end());
    else res.end("ok");
  });
  for (const _connection of [1, 2]) void send(`${server.url}taken`).then((response) => response.text());
  await vi.waitUntil(() => server.seen.length === 2);
  return { ...server, free: freed.resolve };
}

const answerOk: Listener = (_req, res) => void res.end("ok");

const redirectTo =
  (url: string): Listener =>
  (_req, res) =>
    void res.writeHead(307, { location: url }).end();

/** Runs in a context with a tenant and a minute left. */
function runLoaded<T>(fn: (ctx: Context) => T, time: string | number = "1m"): T {
  const [ctx] = withTimeout(withValue(background, tenantKey, "acme"), time as "1m");
  return run(ctx, () => fn(ctx));
}

/** A client that sends the values to one origin, over a fetch that the library does not know yet. */
function clientFor(url: string, fetch: typeof globalThis.fetch): ContextFetch {
  return createFetch({ fetch: (...call) => fetch(...call), origins: [new URL(url).origin] });
}

describe("a dispatcher that retries", () => {
  const retrying = (): Dispatcher => new RetryAgent(new Agent(), { minTimeout: 1, maxRetries: 3, statusCodes: [503] });

  it("does not keep the call from ending at its deadline after an attempt", async () => {
    let calls = 0;
    const { url } = await serve((_req, res) => {
      if ((calls += 1) === 1) res.writeHead(503, { "retry-after": "0" }).end();
    });
    await runLoaded(async (ctx) => {
      const error: unknown = await createFetch({ fetch: fetchBy(retrying()) })(url).catch((e: unknown) => e);
      expect(error).toBe(ctx.err());
    }, 300);
    expect(calls).toBe(2);
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("sends the time that is left at each attempt, in a span of its own", async () => {
      const { url, seen } = await recordingServer((_req, res) => {
        if (seen.length === 1) setTimeout(() => res.writeHead(503, { "retry-after": "0" }).end(), 30);
        else res.end("ok");
      });
      const response = await runLoaded(() => createFetch({ fetch: fetchBy(retrying()) })(url));

      expect(await response.text()).toBe("ok");
      expect(seen[1]!.left).toBeLessThan(seen[0]!.left! - 25);
      const statuses = (await spans.take(2)).map((span) => span.attributes["http.response.status_code"]);
      expect(statuses).toEqual([503, 200]);
    });
  });
});

describe("values for one origin", () => {
  it("are not sent to another origin by a cached redirect", async () => {
    const foreign = await recordingServer(answerOk);
    const own = await recordingServer((_req, res) =>
      res.writeHead(301, { location: foreign.url, "cache-control": "max-age=100" }).end(),
    );
    const fetch = clientFor(own.url, fetchBy(new Agent().compose(interceptors.cache())));
    for (const _time of [1, 2]) expect(await (await runLoaded(() => fetch(own.url))).text()).toBe("ok");

    expect(own.seen.map((each) => each.tenant)).toEqual(["acme"]);
    expect(foreign.seen.map((each) => [each.tenant, each.left === undefined])).toEqual([
      [undefined, false],
      [undefined, false],
    ]);
  });

  it("are not sent to another origin by a redirect that a dispatcher follows", async () => {
    const foreign = await recordingServer(answerOk);
    const own = await recordingServer(redirectTo(foreign.url));
    const fetch = clientFor(own.url, fetchBy(new Agent().compose(interceptors.redirect({ maxRedirections: 2 }))));
    await runLoaded(async () => (await fetch(own.url, { redirect: "manual" })).text());
    await runLoaded(async () => (await fetch(own.url)).text());

    expect(foreign.seen.filter((each) => each.tenant !== undefined)).toEqual([]);
  });

  // undici 7 creates a waiting request in the context of the call that freed the connection.
  it.each([
    ["undici 7", undici7.fetch, undici7.Agent],
    ["undici 8", undiciFetch, Agent],
  ])("are not sent to another origin by a request that waited for a connection of %s", async (_name, fetch, Pool) => {
    // A pool with one connection is a Client, which creates its requests at once.
    const send = fetchBy(new Pool({ connections: 2, pipelining: 1 }), fetch);
    const foreignServers = await Promise.all([busyServer(send), busyServer(send)]);
    const own = await recordingServer((req, res) =>
      res.writeHead(307, { location: foreignServers[Number(req.url!.slice(1))]!.url }).end(),
    );
    const fetchOwn = clientFor(own.url, send);
    // Both calls have some headers with equal values.
    const ctx = withCriticality(withTimeout(background, "1m")[0], "critical");
    const tenants = ["acme", "best"];
    const calls = tenants.map(async (tenant, index) => {
      const response = await fetchOwn(`${own.url}${index}`, { ctx: withValue(ctx, tenantKey, tenant) });
      return response.text();
    });
    await vi.waitUntil(() => own.seen.length >= 2);
    // The redirects must arrive before a connection is free. The later call gets its connection first.
    await new Promise((resolve) => setTimeout(resolve, 100));
    foreignServers[1]!.free();
    expect(await calls[1]).toBe("ok");
    foreignServers[0]!.free();
    expect(await calls[0]).toBe("ok");

    expect(new Set(own.seen.map((each) => each.tenant))).toEqual(new Set(tenants));
    for (const { seen } of foreignServers) {
      const redirected = seen.find((each) => each.path !== "/taken");
      expect(redirected!.tenant).toBeUndefined();
      expect(redirected!.left).toBeLessThan(own.seen[0]!.left! - 90);
    }
  });

  it.each([
    ["undici 7, all calls with a deadline", undici7.fetch, undici7.Agent, 1],
    ["undici 7, some calls with a deadline", undici7.fetch, undici7.Agent, 3],
    ["undici 8, all calls with a deadline", undiciFetch, Agent, 1],
    ["undici 8, some calls with a deadline", undiciFetch, Agent, 3],
  ])("are sent with their own call if many wait for the same connections of %s", async (_name, fetch, Pool, every) => {
    const own = await recordingServer((req, res) => {
      if (req.url!.startsWith("/found")) res.end("ok");
      else res.writeHead(302, { location: `/found${req.url}` }).end("moved");
    });
    const foreign = await recordingServer((req, res) =>
      res.writeHead(302, { location: `${own.url}found${req.url}` }).end(),
    );
    const send = fetchBy(new Pool({ connections: 2, pipelining: 1 }), fetch);
    const fetchOwn = clientFor(own.url, send);
    await (await fetchOwn(`${own.url}found`)).text();
    own.seen.length = 0;
    // Many calls have some headers with equal values; others have none for their first URL.
    const limited = withCriticality(withTimeout(background, "1m")[0], "critical");
    const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
    const calls = tenants.map(async (tenant, index) => {
      const { url } = index % 3 === 0 ? foreign : own;
      const ctx = withValue(index % every === every - 1 ? limited : background, tenantKey, tenant);
      return (await fetchOwn(url + tenant, { ctx })).text();
    });
    const others = (every === 1 ? [] : tenants).map(async () => (await send(`${own.url}found/undefined`)).text());

    await Promise.all([...calls, ...others]);
    expect(own.seen.filter(({ path, tenant }) => !path.endsWith(`/${tenant}`))).toEqual([]);
    expect(own.seen.length).toBe(8 + 12 + others.length);
    expect(foreign.seen.map(({ tenant }) => tenant)).toEqual(Array.from({ length: 4 }, () => undefined));
  });

  it("are sent to the URL that a wrapped fetch calls, if that origin is allowed", async () => {
    const [own, foreign] = [await recordingServer(answerOk), await recordingServer(answerOk)];
    const sendTo =
      (url: string): typeof globalThis.fetch =>
      (_input, init) =>
        fetchOfUndici(url, init as RequestInit);
    await (await runLoaded(() => clientFor(own.url, sendTo(foreign.url))(own.url))).text();
    await (await runLoaded(() => clientFor(own.url, sendTo(own.url))(foreign.url))).text();

    expect(foreign.seen.map((each) => each.tenant)).toEqual([undefined]);
    expect(own.seen.map((each) => each.tenant)).toEqual(["acme"]);
  });
});

describe("a wrapped fetch that requests a token first", () => {
  const withToken =
    (tokens: string): typeof globalThis.fetch =>
    async (input, init) => {
      await (await fetchOfUndici(tokens)).text();
      return fetchOfUndici(input, init);
    };

  it("does not keep the call from ending at its deadline", async () => {
    const tokens = await recordingServer(answerOk);
    const { url } = await serve(() => {});
    await runLoaded(async (ctx) => {
      const error: unknown = await createFetch({ fetch: withToken(tokens.url) })(url).catch((e: unknown) => e);
      expect(error).toBe(ctx.err());
    }, 200);
    expect(tokens.seen).toEqual([{ path: "/", tenant: undefined, left: undefined }]);
  });

  it("sends the values only to the call's origin", async () => {
    const [tokens, foreign] = [await recordingServer(answerOk), await recordingServer(answerOk)];
    const own = await recordingServer(redirectTo(foreign.url));
    const response = await runLoaded(() => clientFor(own.url, withToken(tokens.url))(own.url));

    expect(await response.text()).toBe("ok");
    expect(own.seen[0]!.tenant).toBe("acme");
    expect([...tokens.seen, ...foreign.seen].filter((each) => each.tenant !== undefined)).toEqual([]);
    expect(foreign.seen[0]!.left).toBeGreaterThan(50_000);
  });
});

describe("the interceptor, with a timeout", () => {
  it.each([
    ["redirect", interceptors.redirect({ maxRedirections: 2 }), 302],
    ["retry", interceptors.retry({ minTimeout: 1, statusCodes: [503] }), 503],
  ])("treats each request of the %s interceptor as a call of its own", async (_does, composed, status) => {
    const { url, seen } = await recordingServer((_req, res) => {
      if (seen.length === 1) res.writeHead(status, { location: "/found", "retry-after": "0" }).end();
      else res.end("ok");
    });
    const dispatcher = new Agent().compose(contextInterceptor({ timeout: "30s" }), composed);
    atEnd(() => dispatcher.destroy());
    const { body } = await runLoaded(() => request(url, { dispatcher }));

    expect(await body.text()).toBe("ok");
    expect(seen.map(({ left }) => Math.ceil(left! / 1000))).toEqual([30, 30]);
  });
});

describe("an ended call", () => {
  it("is not retained by its request and its connection", { timeout: 30_000 }, async () => {
    const kept: unknown[] = [];
    const keep = (message: unknown): void => void kept.push(message, new AsyncResource("kept"));
    subscribe("undici:request:create", keep);
    const { url } = await serve((_req, res) => void res.end("ok"));
    const fetch = createFetch();
    const call = async (): Promise<WeakRef<object>> => {
      const init = { method: "POST", body: "abc" };
      await (await runLoaded(() => fetch(url, init))).text();
      return new WeakRef(init);
    };
    const init = await call();
    unsubscribe("undici:request:create", keep);
    await vi.waitUntil(() => (globalThis.gc!(), init.deref() === undefined), { timeout: 10_000 });

    expect(kept).toHaveLength(2);
  });
});
