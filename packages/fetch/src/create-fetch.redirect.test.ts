import { getEventListeners, once } from "node:events";
import http from "node:http";
import { text as toText } from "node:stream/consumers";

import { SpanKind } from "@opentelemetry/api";
import { background, createKey, DeadlineExceeded, run, withTimeout, withValue } from "@throughline/context";
import { propagateValue, textCodec } from "@throughline/http";
import { propagateIdentity, parseGrpcTimeout } from "@throughline/http/adapter";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { describe, expect, it, vi } from "vitest";

import { createFetch } from "./create-fetch.ts";

cleanUpAfterEach();

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "x-tenant", codec: textCodec, maxBytes: 64, as: "header" });
const regionKey = createKey<string>("region");
propagateValue(regionKey, { name: "region", codec: textCodec, maxBytes: 64 });
const userKey = createKey<string>("user");
propagateIdentity(userKey, { name: "x-user", codec: textCodec, maxBytes: 64 });

const fetch = createFetch();

/** A call under a deadline: redirects without one are left to `fetch`. */
const [ctx] = withTimeout(background, "1h");
const calling: typeof fetch = (...args) => run(ctx, () => fetch(...args));

/** Answers with the request that it received, or redirects if the query has a status and a location. */
const target: http.RequestListener = async (req, res) => {
  const { searchParams } = new URL(req.url!, "http://x");
  const [status, to] = [Number(searchParams.get("status")), searchParams.get("to")];
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  if (status > 0) res.writeHead(status, to === null ? {} : { location: to });
  res.end(JSON.stringify({ method: req.method, headers: req.headers, body: Buffer.concat(chunks).toString() }));
};

interface Echo {
  method: string;
  headers: Record<string, string>;
  body: string;
}

const to = (url: string, status: number, where = "/"): string =>
  `${url}?status=${status}&to=${encodeURIComponent(where)}`;

describe("a redirect under a deadline", () => {
  it("is followed, and the response is marked as redirected", async () => {
    const { url } = await serve(target);
    const response = await calling(to(url, 302, "/found"));

    expect([response.status, response.redirected, response.url]).toEqual([200, true, `${url}found`]);
  });

  it("sends the time that is left by then", async () => {
    let first = 0;
    const { url } = await serve((req, res) => {
      const sent = req.headers["grpc-timeout"] as string;
      if (req.url === "/found") {
        res.end(sent);
      } else {
        first = parseGrpcTimeout(sent)!;
        setTimeout(() => res.writeHead(302, { location: "/found" }).end(), 40);
      }
    });
    const sent = parseGrpcTimeout(await (await calling(url)).text())!;
    expect(first - sent).toBeGreaterThanOrEqual(39);
  });

  it.each([
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [303, "PUT", "GET", ""],
    [303, "HEAD", "HEAD", ""],
    [301, "PUT", "PUT", "body"],
    [307, "POST", "POST", "body"],
    [308, "PATCH", "PATCH", "body"],
  ])("of status %i turns %s into %s, as in the standard", async (status, method, becomes, body) => {
    const { url } = await serve(target);
    const response = await calling(to(url, status), {
      method,
      ...(method === "HEAD" ? {} : { body: "body", headers: { "content-type": "text/x" } }),
    });
    if (method === "HEAD") return expect(response.status).toBe(200);
    const echoed = (await response.json()) as Echo;
    expect([echoed.method, echoed.body]).toEqual([becomes, body]);
    expect(echoed.headers["content-type"]).toBe(body === "" ? undefined : "text/x");
  });

  it("to another origin does not send credentials", async () => {
    const [{ url }, elsewhere] = [await serve(target), await serve(target)];
    const credentials = { authorization: "Bearer x", cookie: "a=b", "proxy-authorization": "Basic x", "x-own": "kept" };
    const there = (await (await calling(to(url, 302, elsewhere.url), { headers: credentials })).json()) as Echo;
    const here = (await (await calling(to(url, 302), { headers: credentials })).json()) as Echo;

    expect([there.headers["authorization"], there.headers["cookie"], there.headers["proxy-authorization"]]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect([there.headers["x-own"], here.headers["authorization"], here.headers["cookie"]]).toEqual([
      "kept",
      "Bearer x",
      "a=b",
    ]);
  });

  it("without a location is the response", async () => {
    const { url } = await serve(target);
    expect((await calling(`${url}?status=302`)).status).toBe(302);
  });

  it.each([
    ["in a loop", (url: string) => to(url, 302, "?status=302&to=/"), undefined],
    ["to another scheme", (url: string) => to(url, 302, "ftp://x/"), /URL scheme must be a HTTP\(S\) scheme/],
    [
      "to another origin with credentials in its URL",
      (url: string) => to(url, 302, "http://u:p@x.example/"),
      /cross origin not allowed/,
    ],
  ])("%s fails as fetch does", async (how, urlOf, reason) => {
    const { url } = await serve((req, res) => {
      if (how === "in a loop") res.writeHead(302, { location: "/again" }).end();
      else target(req, res);
    });
    const error = (await calling(urlOf(url)).catch((e: unknown) => e)) as TypeError;
    expect([error.name, error.message]).toEqual(["TypeError", "fetch failed"]);
    expect((error.cause as Error).message).toMatch(reason ?? /redirect count exceeded/);
  });

  it("of a call with a stream as body fails", async () => {
    const { url } = await serve(target);
    const body = new Blob(["streamed"]).stream();
    const call = calling(to(url, 307), { method: "POST", body, duplex: "half" } as RequestInit);
    await expect(call).rejects.toThrow("fetch failed");
  });

  it("is an error with 'error', and the response with 'manual'", async () => {
    const { url } = await serve(target);
    await expect(calling(to(url, 302), { redirect: "error" })).rejects.toThrow("fetch failed");
    const response = await calling(to(url, 302), { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([302, "/"]);
  });

  it("of a Request sends its body again", async () => {
    const { url } = await serve(target);
    const response = await calling(new Request(to(url, 307), { method: "POST", body: "body" }));
    expect(((await response.json()) as Echo).body).toBe("body");
  });

  it("ends with its context while it is followed", async () => {
    const [short] = withTimeout(background, 60);
    const { url } = await serve((req, res) => {
      if (req.url === "/") res.writeHead(302, { location: "/slow" }).end();
    });
    const error: unknown = await run(short, () => fetch(url)).catch((e: unknown) => e);
    expect(error).toBe(short.err());
  });
});

/** What a hop received. */
interface Hop {
  readonly method: string;
  /** The propagated values, one in a header and one in baggage, and the identity. */
  readonly carried: readonly (string | undefined)[];
  /** The remaining time in milliseconds. */
  readonly left: number | undefined;
}

/** A server that redirects to `to` after `after` milliseconds, or answers if there is no `to`. */
async function hop(to?: string, { status = 302, after = 0 } = {}): Promise<{ url: string; hops: Hop[] }> {
  const hops: Hop[] = [];
  const { url } = await serve((req, res) => {
    const headers = req.headers as Record<string, string | undefined>;
    const { "x-tenant": tenant, "x-user": user, baggage, "grpc-timeout": sent } = headers;
    const left = sent === undefined ? undefined : parseGrpcTimeout(sent);
    hops.push({ method: req.method!, carried: [tenant, baggage, user], left });
    setTimeout(() => {
      if (to === undefined) res.end("answer");
      else res.writeHead(status, { location: to }).end("moved");
    }, after);
  });
  return { url, hops };
}

const ALL = ["acme", "region=eu", "alice"];
const NOTHING = [undefined, undefined, undefined];

/** A context with propagated values and an identity, and a minute left. */
function loadedContext(time: string | number = "1m"): ReturnType<typeof withTimeout>[0] {
  const values = withValue(withValue(withValue(background, tenantKey, "acme"), regionKey, "eu"), userKey, "alice");
  return withTimeout(values, time as "1m")[0];
}

const originOf = (url: string): string => new URL(url).origin;

describe("the headers of a hop", () => {
  it("are removed if a redirect leads from an allowed origin to a foreign one", async () => {
    const foreign = await hop();
    const own = await hop(foreign.url);
    const fetch = createFetch({ origins: [originOf(own.url)] });
    await (await fetch(own.url, { ctx: loadedContext() })).text();

    expect([own.hops[0]!.carried, foreign.hops[0]!.carried]).toEqual([ALL, NOTHING]);
  });

  it("are added if a redirect leads from a foreign origin to an allowed one", async () => {
    const own = await hop();
    const foreign = await hop(own.url);
    const fetch = createFetch({ origins: [originOf(own.url)] });
    await (await fetch(foreign.url, { ctx: loadedContext() })).text();

    expect([foreign.hops[0]!.carried, own.hops[0]!.carried]).toEqual([NOTHING, ALL]);
  });

  it("are decided anew for each hop, there and back", async () => {
    const last = await hop();
    const foreign = await hop(last.url);
    const own = await hop(foreign.url);
    const fetch = createFetch({ origins: [originOf(own.url), originOf(last.url)] });
    await (await fetch(own.url, { ctx: loadedContext() })).text();

    expect([own, foreign, last].map(({ hops }) => hops[0]!.carried)).toEqual([ALL, NOTHING, ALL]);
  });

  it("are removed for a foreign origin behind another foreign origin", async () => {
    const last = await hop();
    const foreign = await hop(last.url);
    const own = await hop(foreign.url);
    await (await createFetch({ origins: [originOf(own.url)] })(own.url, { ctx: loadedContext() })).text();

    expect([own, foreign, last].map(({ hops }) => hops[0]!.carried)).toEqual([ALL, NOTHING, NOTHING]);
  });

  it("stay if a redirect leads from an allowed origin to another", async () => {
    const last = await hop();
    const own = await hop(last.url);
    const fetch = createFetch({ origins: [originOf(own.url), originOf(last.url)] });
    await (await fetch(own.url, { ctx: loadedContext() })).text();

    expect([...own.hops, ...last.hops].map(({ carried }) => carried)).toEqual([ALL, ALL]);
  });

  it("have the time that is left by then", async () => {
    const third = await hop();
    const second = await hop(third.url, { after: 30 });
    const first = await hop(second.url, { after: 30 });
    await (await createFetch()(first.url, { ctx: loadedContext() })).text();

    const left = [first, second, third].map(({ hops }) => hops[0]!.left!);
    expect(left[1]).toBeLessThan(left[0]! - 25);
    expect(left[2]).toBeLessThan(left[1]! - 25);
  });

  it("replace those that the caller set, at each hop", async () => {
    const foreign = await hop();
    const own = await hop(foreign.url);
    const headers = { "x-tenant": "forged", baggage: "own=1" };
    await (await createFetch({ origins: [originOf(own.url)] })(own.url, { ctx: loadedContext(), headers })).text();

    expect(own.hops[0]!.carried).toEqual(["acme", "region=eu,own=1", "alice"]);
    expect(foreign.hops[0]!.carried).toEqual(NOTHING);
  });

  it("replace those that the caller set also after a redirect from a foreign origin", async () => {
    const own = await hop();
    const foreign = await hop(own.url);
    const headers = { "x-tenant": "forged", baggage: "own=1" };
    await (await createFetch({ origins: [originOf(own.url)] })(foreign.url, { ctx: loadedContext(), headers })).text();

    expect(foreign.hops[0]!.carried).toEqual(["forged", "own=1", undefined]);
    expect(own.hops[0]!.carried).toEqual(["acme", "region=eu,own=1", "alice"]);
  });
});

describe("a hop", () => {
  it("without time left is not sent", async () => {
    const second = await hop();
    const first = await hop(second.url, { after: 80 });
    // The margin leaves about 60 ms for the first hop.
    const fetch = createFetch({ margin: 59_940, origins: [originOf(first.url), originOf(second.url)] });
    const ctx = loadedContext();
    const error: unknown = await fetch(first.url, { ctx }).catch((e: unknown) => e);

    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect((error as Error).message).toMatch(/ms left, less a margin of 59940 ms, are too little to call/);
    expect(ctx.err()).toBeUndefined();
    expect([first.hops.length, second.hops]).toEqual([1, []]);
  });

  it.each([
    [303, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "DELETE", "GET"],
    [307, "POST", "POST"],
    [308, "DELETE", "DELETE"],
  ])("by %i turns %s into %s, and is sent once", async (status, method, becomes) => {
    const second = await hop();
    const first = await hop(second.url, { status });
    const origins = [originOf(first.url), originOf(second.url)];
    await (await createFetch({ origins })(first.url, { ctx: loadedContext(), method })).text();

    expect([first, second].map(({ hops }) => hops.map((each) => each.method))).toEqual([[method], [becomes]]);
  });

  it.each(["manual", "error"] as const)("is not sent with redirect '%s'", async (redirect) => {
    const second = await hop();
    const first = await hop(second.url);
    const wrapped = vi.fn(globalThis.fetch);
    const fetch = createFetch({ fetch: wrapped, origins: [originOf(first.url)] });
    const outcome = await fetch(first.url, { ctx: loadedContext(), redirect }).then(
      (response) => [response.status, response.headers.get("location")],
      (error: Error) => error.message,
    );

    expect(outcome).toEqual(redirect === "manual" ? [302, second.url] : "fetch failed");
    expect(wrapped.mock.calls.map(([, init]) => init!.redirect)).toEqual([redirect]);
    expect([first.hops[0]!.carried, second.hops]).toEqual([ALL, []]);
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("has a CLIENT span of its own, with its own method, address and status", async () => {
      const second = await hop();
      const first = await hop(second.url, { status: 303 });
      await (await createFetch()(first.url, { ctx: loadedContext(), method: "POST", body: "abc" })).text();

      const made = await spans.take(2);
      expect(made.map(({ kind }) => kind)).toEqual([SpanKind.CLIENT, SpanKind.CLIENT]);
      expect(
        made.map(({ name, attributes }) => [name, attributes["url.full"], attributes["http.response.status_code"]]),
      ).toEqual([
        ["POST", first.url, 303],
        ["GET", second.url, 200],
      ]);
    });

    it("has its span's id in its traceparent", async () => {
      const traces: unknown[] = [];
      const { url } = await serve((req, res) => {
        traces.push(req.headers["traceparent"]);
        if (req.url === "/") res.writeHead(302, { location: "/found" }).end();
        else res.end();
      });
      await (await createFetch()(url)).text();

      const made = (await spans.take(2)).map((span) => span.spanContext());
      expect(traces).toEqual(made.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`));
    });
  });
});

describe("a redirect of a fetch that is not known to be undici's", () => {
  /** A fetch over `node:http` that follows redirects with all headers. */
  const fetchOverHttp = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const headers = Object.fromEntries(new Headers(init.headers));
    const req = http.request(input as string, { method: init.method ?? "GET", headers }).end();
    const [res] = (await once(req, "response")) as [http.IncomingMessage];
    const { location } = res.headers;
    if (location === undefined || init.redirect === "manual") {
      return new Response(await toText(res), {
        status: res.statusCode!,
        headers: res.headers as Record<string, string>,
      });
    }
    res.resume();
    return fetchOverHttp(location, init);
  };
  /** A new function for each test, as the library remembers what it learns about a function. */
  const unknownFetch = (fetch: unknown): typeof globalThis.fetch => {
    const send = fetch as typeof globalThis.fetch;
    return (...call) => send(...call);
  };

  it("fails if the call has headers for its origin only, from the first call on", async () => {
    const foreign = await hop();
    const own = await hop(foreign.url);
    const fetch = createFetch({ fetch: unknownFetch(fetchOverHttp), origins: [originOf(own.url)] });
    for (const _time of [1, 2]) {
      const error = (await fetch(own.url, { ctx: loadedContext() }).catch((e: unknown) => e)) as TypeError;
      expect([error.name, error.message]).toEqual(["TypeError", "fetch failed"]);
      expect((error.cause as Error).message).toBe(
        "Cannot follow a redirect: only undici reports the redirect's URL, which is checked against 'origins'; set redirect to \"manual\" and follow it yourself",
      );
    }
    expect([own.hops.length, own.hops[0]!.carried, foreign.hops]).toEqual([2, ALL, []]);
  });

  it("is followed if the call has no such headers", async () => {
    const second = await hop();
    const first = await hop(second.url);
    for (const origins of [[], ["https://elsewhere.example"]]) {
      const fetch = createFetch({ fetch: unknownFetch(fetchOverHttp), origins });
      expect(await (await fetch(first.url, { ctx: loadedContext() })).text()).toBe("answer");
    }
    expect([first, second].map(({ hops }) => hops.map(({ carried }) => carried))).toEqual([
      [NOTHING, NOTHING],
      [NOTHING, NOTHING],
    ]);
  });

  it.each([
    ["GET", 302],
    ["HEAD", 301],
    ["POST", 307],
  ])("is followed if the fetch turns out to be undici's, for %s and status %i", async (method, status) => {
    const foreign = await hop();
    const own = await hop(foreign.url, { status });
    const fetch = createFetch({ fetch: unknownFetch(globalThis.fetch), origins: [originOf(own.url)] });
    const first = await fetch(own.url, { ctx: loadedContext(), method });
    const again = await fetch(own.url, { ctx: loadedContext(), method });

    expect([first.status, first.redirected, again.redirected]).toEqual([200, true, true]);
    // The first call starts again once this is known.
    expect(own.hops.map(({ carried }) => carried)).toEqual([ALL, ALL, ALL]);
    expect(foreign.hops.map(({ carried }) => carried)).toEqual([NOTHING, NOTHING]);
  });

  it("is not followed if no time is left, and the call ends", async () => {
    const { signal } = new AbortController();
    const own = await hop("/found", { after: 80 });
    // The margin leaves about 60 ms for the call.
    const origins = [originOf(own.url)];
    const fetch = createFetch({ fetch: unknownFetch(globalThis.fetch), margin: 59_940, origins });
    await expect(fetch(own.url, { ctx: loadedContext(), signal })).rejects.toThrow(DeadlineExceeded);

    expect(own.hops.length).toBe(1);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("fails if this turns out after a call that must not be sent twice", async () => {
    const foreign = await hop();
    const own = await hop(foreign.url, { status: 303 });
    const fetch = createFetch({ fetch: unknownFetch(globalThis.fetch), origins: [originOf(own.url)] });
    const call = (): Promise<Response> => fetch(own.url, { ctx: loadedContext(), method: "POST" });
    const error = (await call().catch((e: unknown) => e)) as TypeError;

    expect((error.cause as Error).message).toMatch(/the wrapped fetch was not known to be undici's before this call/);
    expect([own.hops.length, foreign.hops]).toEqual([1, []]);
    expect((await call()).status).toBe(200);
  });
});
