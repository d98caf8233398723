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

/** Sends in the way of undici's fetch, by a dispatcher of its own. */
function by(dispatcher: { destroy(): Promise<void> }, fetch: unknown = undiciFetch): typeof globalThis.fetch {
  atEnd(() => dispatcher.destroy());
  const send = fetch as typeof globalThis.fetch;
  return (input, init) => send(input, { ...init, dispatcher } as unknown as RequestInit);
}

interface Seen {
  readonly path: string;
  readonly tenant: string | undefined;
  /** Milliseconds. */
  readonly left: number | undefined;
}

type ProblemResponse = Parameters<typeof serve>[0];

/** A server that keeps what it was sent. */
async function watched(answer: ProblemResponse): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const { url } = await serve((req, res) => {
    const { "x-tenant": tenant, "grpc-timeout": sent } = req.headers as Record<string, string | undefined>;
    seen.push({ path: req.url!, tenant, left: sent === undefined ? undefined : parseGrpcTimeout(sent) });
    answer(req, res);
  });
  return { url, seen };
}

/** A server of which two connections are taken until they are freed. */
async function taken(send: typeof globalThis.fetch): Promise<{ url: string; seen: Seen[]; free: () => void }> {
  const freed = Promise.withResolvers<void>();
  const server = await watched((req, res) => {
    if (req.url === "/taken") void freed.promise.then(() => res.end());
    else res.end("ok");
  });
  for (const _connection of [1, 2]) void send(`${server.url}taken`).then((response) => response.text());
  await vi.waitUntil(() => server.seen.length === 2);
  return { ...server, free: freed.resolve };
}

const answerOk: ProblemResponse = (_req, res) => void res.end("ok");

const redirectTo =
  (where: string): ProblemResponse =>
  (_req, res) =>
    void res.writeHead(307, { location: where }).end();

/** For a tenant, with a minute left. */
function calling<T>(fn: (ctx: Context) => T, time: string | number = "1m"): T {
  const [ctx] = withTimeout(withValue(background, tenantKey, "acme"), time as "1m");
  return run(ctx, () => fn(ctx));
}

/** Has the values go to one origin, by a fetch of which nothing is known yet. */
function forOrigin(url: string, fetch: typeof globalThis.fetch): ContextFetch {
  return createFetch({ fetch: (...call) => fetch(...call), origins: [new URL(url).origin] });
}

describe("a dispatcher that tries again", () => {
  const again = (): Dispatcher => new RetryAgent(new Agent(), { minTimeout: 1, maxRetries: 3, statusCodes: [503] });

  it("has the call end at its deadline also when an attempt is over", async () => {
    let calls = 0;
    const { url } = await serve((_req, res) => {
      if ((calls += 1) === 1) res.writeHead(503, { "retry-after": "0" }).end();
    });
    await calling(async (ctx) => {
      const error: unknown = await createFetch({ fetch: by(again()) })(url).catch((e: unknown) => e);
      expect(error).toBe(ctx.err());
    }, 300);
    expect(calls).toBe(2);
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("has each attempt tell what is left by then, in a span of its own", async () => {
      const { url, seen } = await watched((_req, res) => {
        if (seen.length === 1) setTimeout(() => res.writeHead(503, { "retry-after": "0" }).end(), 30);
        else res.end("ok");
      });
      const response = await calling(() => createFetch({ fetch: by(again()) })(url));

      expect(await response.text()).toBe("ok");
      expect(seen[1]!.left).toBeLessThan(seen[0]!.left! - 25);
      const statuses = (await spans.take(2)).map((span) => span.attributes["http.response.status_code"]);
      expect(statuses).toEqual([503, 200]);
    });
  });
});

describe("values that are for one origin", () => {
  it("do not go to another by a redirect that a cache remembers", async () => {
    const stranger = await watched(answerOk);
    const own = await watched((_req, res) =>
      res.writeHead(301, { location: stranger.url, "cache-control": "max-age=100" }).end(),
    );
    const fetch = forOrigin(own.url, by(new Agent().compose(interceptors.cache())));
    for (const _time of [1, 2]) expect(await (await calling(() => fetch(own.url))).text()).toBe("ok");

    expect(own.seen.map((each) => each.tenant)).toEqual(["acme"]);
    expect(stranger.seen.map((each) => [each.tenant, each.left === undefined])).toEqual([
      [undefined, false],
      [undefined, false],
    ]);
  });

  it("do not go to another by a redirect that a dispatcher follows", async () => {
    const stranger = await watched(answerOk);
    const own = await watched(redirectTo(stranger.url));
    const fetch = forOrigin(own.url, by(new Agent().compose(interceptors.redirect({ maxRedirections: 2 }))));
    await calling(async () => (await fetch(own.url, { redirect: "manual" })).text());
    await calling(async () => (await fetch(own.url)).text());

    expect(stranger.seen.filter((each) => each.tenant !== undefined)).toEqual([]);
  });

  // The older one makes what has waited in the context of what has set its connection free.
  it.each([
    ["undici 7", undici7.fetch, undici7.Agent],
    ["undici 8", undiciFetch, Agent],
  ])("do not go to another by a request that had to wait for a connection of %s", async (_name, fetch, Pool) => {
    // A pool of one is a client, which makes its requests at once.
    const send = by(new Pool({ connections: 2, pipelining: 1 }), fetch);
    const strangers = await Promise.all([taken(send), taken(send)]);
    const own = await watched((req, res) =>
      res.writeHead(307, { location: strangers[Number(req.url!.slice(1))]!.url }).end(),
    );
    const fetchOwn = forOrigin(own.url, send);
    // Of some headers both have the same.
    const ctx = withCriticality(withTimeout(background, "1m")[0], "critical");
    const tenants = ["acme", "best"];
    const calls = tenants.map(async (tenant, index) => {
      const response = await fetchOwn(`${own.url}${index}`, { ctx: withValue(ctx, tenantKey, tenant) });
      return response.text();
    });
    await vi.waitUntil(() => own.seen.length >= 2);
    // The responses that redirect must have arrived before a connection is free: that of the later call first.
    await new Promise((resolve) => setTimeout(resolve, 100));
    strangers[1]!.free();
    expect(await calls[1]).toBe("ok");
    strangers[0]!.free();
    expect(await calls[0]).toBe("ok");

    expect(new Set(own.seen.map((each) => each.tenant))).toEqual(new Set(tenants));
    for (const { seen } of strangers) {
      const redirected = seen.find((each) => each.path !== "/taken");
      expect(redirected!.tenant).toBeUndefined();
      expect(redirected!.left).toBeLessThan(own.seen[0]!.left! - 90);
    }
  });

  it.each([
    ["undici 7, all of calls with a deadline", undici7.fetch, undici7.Agent, 1],
    ["undici 7, some of calls with a deadline", undici7.fetch, undici7.Agent, 3],
    ["undici 8, all of calls with a deadline", undiciFetch, Agent, 1],
    ["undici 8, some of calls with a deadline", undiciFetch, Agent, 3],
  ])("are those of its own call where many wait for the same connections of %s", async (_name, fetch, Pool, every) => {
    const own = await watched((req, res) => {
      if (req.url!.startsWith("/found")) res.end("ok");
      else res.writeHead(302, { location: `/found${req.url}` }).end("moved");
    });
    const stranger = await watched((req, res) => res.writeHead(302, { location: `${own.url}found${req.url}` }).end());
    const send = by(new Pool({ connections: 2, pipelining: 1 }), fetch);
    const fetchOwn = forOrigin(own.url, send);
    await (await fetchOwn(`${own.url}found`)).text();
    own.seen.length = 0;
    // Of some headers many have the same; others have none where they go first.
    const limited = withCriticality(withTimeout(background, "1m")[0], "critical");
    const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
    const calls = tenants.map(async (tenant, index) => {
      const { url } = index % 3 === 0 ? stranger : own;
      const ctx = withValue(index % every === every - 1 ? limited : background, tenantKey, tenant);
      return (await fetchOwn(url + tenant, { ctx })).text();
    });
    const others = (every === 1 ? [] : tenants).map(async () => (await send(`${own.url}found/undefined`)).text());

    await Promise.all([...calls, ...others]);
    expect(own.seen.filter(({ path, tenant }) => !path.endsWith(`/${tenant}`))).toEqual([]);
    expect(own.seen.length).toBe(8 + 12 + others.length);
    expect(stranger.seen.map(({ tenant }) => tenant)).toEqual(Array.from({ length: 4 }, () => undefined));
  });

  it("go to where a wrapped fetch sends the call, if they may, and nowhere else", async () => {
    const [own, stranger] = [await watched(answerOk), await watched(answerOk)];
    const sendTo =
      (url: string): typeof globalThis.fetch =>
      (_input, init) =>
        fetchOfUndici(url, init as RequestInit);
    await (await calling(() => forOrigin(own.url, sendTo(stranger.url))(own.url))).text();
    await (await calling(() => forOrigin(own.url, sendTo(own.url))(stranger.url))).text();

    expect(stranger.seen.map((each) => each.tenant)).toEqual([undefined]);
    expect(own.seen.map((each) => each.tenant)).toEqual(["acme"]);
  });
});

describe("a wrapped fetch that asks for a token first", () => {
  const withToken =
    (tokens: string): typeof globalThis.fetch =>
    async (input, init) => {
      await (await fetchOfUndici(tokens)).text();
      return fetchOfUndici(input, init);
    };

  it("has the call end at its deadline, not with the token", async () => {
    const tokens = await watched(answerOk);
    const { url } = await serve(() => {});
    await calling(async (ctx) => {
      const error: unknown = await createFetch({ fetch: withToken(tokens.url) })(url).catch((e: unknown) => e);
      expect(error).toBe(ctx.err());
    }, 200);
    expect(tokens.seen).toEqual([{ path: "/", tenant: undefined, left: undefined }]);
  });

  it("has the values of the call stay with its origin", async () => {
    const [tokens, stranger] = [await watched(answerOk), await watched(answerOk)];
    const own = await watched(redirectTo(stranger.url));
    const response = await calling(() => forOrigin(own.url, withToken(tokens.url))(own.url));

    expect(await response.text()).toBe("ok");
    expect(own.seen[0]!.tenant).toBe("acme");
    expect([...tokens.seen, ...stranger.seen].filter((each) => each.tenant !== undefined)).toEqual([]);
    expect(stranger.seen[0]!.left).toBeGreaterThan(50_000);
  });
});

describe("the interceptor, with a timeout", () => {
  it.each([
    ["redirects", interceptors.redirect({ maxRedirections: 2 }), 302],
    ["tries again", interceptors.retry({ minTimeout: 1, statusCodes: [503] }), 503],
  ])("has each request of what %s be a call of its own", async (_does, composed, status) => {
    const { url, seen } = await watched((_req, res) => {
      if (seen.length === 1) res.writeHead(status, { location: "/found", "retry-after": "0" }).end();
      else res.end("ok");
    });
    const dispatcher = new Agent().compose(contextInterceptor({ timeout: "30s" }), composed);
    atEnd(() => dispatcher.destroy());
    const { body } = await calling(() => request(url, { dispatcher }));

    expect(await body.text()).toBe("ok");
    expect(seen.map(({ left }) => Math.ceil(left! / 1000))).toEqual([30, 30]);
  });
});

describe("a call that is over", () => {
  it("is not kept by its request and its connection, which are", { timeout: 30_000 }, async () => {
    const kept: unknown[] = [];
    const keep = (message: unknown): void => void kept.push(message, new AsyncResource("kept"));
    subscribe("undici:request:create", keep);
    const { url } = await serve((_req, res) => void res.end("ok"));
    const fetch = createFetch();
    const call = async (): Promise<WeakRef<object>> => {
      const init = { method: "POST", body: "abc" };
      await (await calling(() => fetch(url, init))).text();
      return new WeakRef(init);
    };
    const init = await call();
    unsubscribe("undici:request:create", keep);
    await vi.waitUntil(() => (globalThis.gc!(), init.deref() === undefined), { timeout: 10_000 });

    expect(kept).toHaveLength(2);
  });
});
