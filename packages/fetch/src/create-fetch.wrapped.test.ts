import { Readable } from "node:stream";
import vm from "node:vm";

import { background, type Context, DeadlineExceeded, run, withCancel, withTimeout } from "@throughline/context";
import { cleanUpAfterEach, echo, serve } from "@throughline/test/support/loopback.ts";
import * as undici from "undici";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { CallInit } from "./call.ts";
import { type ContextFetch, createFetch, type FetchOptions } from "./create-fetch.ts";

cleanUpAfterEach();

const fetchOfUndici = undici.fetch as unknown as typeof globalThis.fetch;

/** Configurations that change how a call is sent. */
const configurations: readonly (readonly [name: string, options: FetchOptions, timeout: string | undefined])[] = [
  ["without a context", {}, undefined],
  ["under a deadline", {}, "1m"],
  ["with retries, under a deadline", { retry: true }, "1m"],
  ["with origins, under a deadline", { origins: ["http://127.0.0.1:*"] }, "1m"],
];

function under(time: string | number | undefined): Context {
  return time === undefined ? background : withTimeout(background, time as "1m")[0];
}

describe.each(configurations)("the response, %s,", (_name, options, time) => {
  const call = (fetch: typeof globalThis.fetch, url: string): Promise<Response> =>
    run(under(time), () => createFetch({ ...options, fetch })(url));

  it.each([
    ["Node's fetch", (url: string) => fetch(url)],
    ["undici's fetch", (url: string) => fetchOfUndici(url)],
    ["a fetch that does not go over HTTP", async () => new Response("in memory")],
  ])("is the object that %s returned", async (_from, send) => {
    const { url } = await serve(echo);
    const made: unknown[] = [];
    const response = await call(async () => {
      const each = await send(url);
      made.push(each);
      return each;
    }, url);

    expect(made).toEqual([response]);
    expect(response).toBe(made[0]);
    await response.text();
  });

  it("has undici's classes if undici's fetch returned it", async () => {
    const { url } = await serve(echo);
    const response = await call(fetchOfUndici, url);

    expect(response).toBeInstanceOf(undici.Response);
    expect(response.headers).toBeInstanceOf(undici.Headers);
    expect(response.clone()).toBeInstanceOf(undici.Response);
  });

  it("may be a test double with only some members", async () => {
    const double = { ok: true, status: 200, json: async () => ({ a: 1 }) };
    expect(await call(async () => double as Response, "http://orders.example/")).toBe(double);
  });

  it.each([undefined, null, 42])("may be %s, which a mock without an implementation returns", async (nothing) => {
    expect(await call(async () => nothing as unknown as Response, "http://orders.example/")).toBe(nothing);
  });

  it("may have a Node stream as body, as with node-fetch", async () => {
    const body = Readable.from([Buffer.from("streamed")]);
    const made = { ok: true, status: 200, headers: new Headers(), body } as unknown as Response;
    const response = await call(async () => made, "http://orders.example/");
    const chunks: Buffer[] = [];
    for await (const chunk of response.body as unknown as Readable) chunks.push(chunk as Buffer);

    expect(response).toBe(made);
    expect(Buffer.concat(chunks).toString()).toBe("streamed");
  });

  it("can be read through its clone after it was collected itself", async () => {
    const text = "x".repeat(100_000);
    const { url } = await serve((_req, res) => void res.end(text));
    const copied = async (): Promise<Response> => (await call(fetch, url)).clone();
    const copy = await copied();
    for (let times = 0; times < 5; times += 1) {
      globalThis.gc!();
      await new Promise((resolve) => setImmediate(resolve));
    }

    expect(await copy.text()).toBe(text);
  });
});

describe("with undici installed in place of Node's fetch", () => {
  const NAMES = ["fetch", "Headers", "Response", "Request", "FormData"] as const;
  const before = NAMES.map((name) => Object.getOwnPropertyDescriptor(globalThis, name)!);
  afterEach(() => NAMES.forEach((name, index) => Object.defineProperty(globalThis, name, before[index]!)));

  it.each(configurations)(
    "a call %s uses undici, and its response has undici's classes",
    async (_name, options, time) => {
      const { url } = await serve(echo);
      const fetch = createFetch(options);
      for (const name of ["WebSocket", "CloseEvent", "ErrorEvent", "MessageEvent", "EventSource"] as const) {
        vi.stubGlobal(name, (globalThis as Record<string, unknown>)[name]);
      }
      undici.install();
      const response = await run(under(time), () =>
        fetch(new Request(url, { headers: new Headers({ "x-own": "kept" }) })),
      );
      const echoed = (await response.json()) as Record<string, string>;
      vi.unstubAllGlobals();

      expect(response).toBeInstanceOf(undici.Response);
      expect(echoed["x-own"]).toBe("kept");
    },
  );
});

/** The `init` that the wrapped fetch receives. */
async function initReceived(
  init: unknown,
  { options = {}, time }: { options?: FetchOptions; time?: string } = {},
): Promise<Record<string, unknown>> {
  const fetch = vi.fn(async (_input: unknown, _init?: unknown) => new Response());
  await run(under(time), () =>
    createFetch({ ...options, fetch: fetch as typeof globalThis.fetch })("http://a.example/", init as CallInit),
  );
  return fetch.mock.calls[0]![1] as Record<string, unknown>;
}

describe("the init that the wrapped fetch receives", () => {
  it("is the caller's own object if nothing is added", async () => {
    const init = { method: "POST", body: "abc" };
    expect(await initReceived(init)).toBe(init);
    expect(await initReceived(undefined)).toBeUndefined();
    // oxlint-disable-next-line unicorn/no-null -- a caller may pass null
    expect(await initReceived(null)).toBeNull();
  });

  it("is a copy if something is added, so that the caller can use its own again", async () => {
    const init = Object.freeze({ method: "POST", body: "abc", headers: Object.freeze({ "x-own": "kept" }) });
    const received = await initReceived(init, { time: "1m" });

    expect(received).toMatchObject({ method: "POST", body: "abc", headers: { "x-own": "kept" } });
    expect(received["signal"]).toBeInstanceOf(AbortSignal);
    expect(init).toEqual({ method: "POST", body: "abc", headers: { "x-own": "kept" } });
  });

  it("has neither 'ctx' nor 'timeout'", async () => {
    const received = await initReceived({ ctx: background, timeout: "1m", method: "PUT" });
    expect(Object.keys(received).sort()).toEqual(["headers", "method", "signal"]);
  });

  class Base {
    get method(): string {
      return "PUT";
    }
  }
  class Derived extends Base {
    readonly #body = "abc";
    readonly next = { revalidate: 60 };
    get body(): string {
      return this.#body;
    }
    helper(): void {}
  }
  it.each([
    ["is a plain object", () => ({ method: "PUT", body: "abc", next: { revalidate: 60 } })],
    [
      "has no prototype",
      () => Object.assign(Object.create(null), { method: "PUT", body: "abc", next: { revalidate: 60 } }),
    ],
    ["inherits its members", () => Object.create({ method: "PUT", body: "abc", next: { revalidate: 60 } })],
    ["has accessors of a class", () => new Derived()],
    ["is from another realm", () => vm.runInNewContext('({ method: "PUT", body: "abc", next: { revalidate: 60 } })')],
  ])("has all members, unknown ones included, of an init that %s", async (_name, init) => {
    const received = await initReceived(init(), { time: "1m" });

    expect(received).toMatchObject({ method: "PUT", body: "abc", next: { revalidate: 60 } });
    expect(Object.getPrototypeOf(received)).toBe(Object.prototype);
    expect(Object.keys(received).sort()).toEqual(["body", "headers", "method", "next", "signal"]);
  });

  it.each([
    [
      "an object",
      { "x-own": "kept", "GRPC-Timeout": "9H" },
      (headers: object) => Object.getPrototypeOf(headers) === Object.prototype,
    ],
    [
      "pairs",
      [
        ["x-own", "kept"],
        ["GRPC-Timeout", "9H"],
      ],
      Array.isArray,
    ],
    [
      "Headers",
      new Headers({ "x-own": "kept", "GRPC-Timeout": "9H" }),
      (headers: object) => headers instanceof Headers,
    ],
    [
      "undici's Headers",
      new undici.Headers({ "x-own": "kept", "GRPC-Timeout": "9H" }),
      (headers: object) => headers instanceof undici.Headers,
    ],
    ["nothing", undefined, (headers: object) => Object.getPrototypeOf(headers) === Object.prototype],
  ])(
    "has headers of the same kind for %s, with the added ones in place of those of the same name",
    async (_name, headers, isSame) => {
      const received = (await initReceived({ headers }, { time: "1m" }))["headers"] as object;
      expect(received).not.toBe(headers);
      expect(isSame(received)).toBe(true);
      const pairs = [...new Headers(received as Headers)];
      expect(pairs.find(([name]) => name === "grpc-timeout")![1]).toMatch(/^\d+m$/);
      expect(pairs.filter(([name]) => name !== "grpc-timeout")).toEqual(
        headers === undefined ? [] : [["x-own", "kept"]],
      );
    },
  );

  it("has the headers of a Map as pairs", async () => {
    const received = await initReceived({ headers: new Map([["x-own", "kept"]]) }, { time: "1m" });
    expect(received["headers"]).toEqual([
      ["x-own", "kept"],
      ["grpc-timeout", expect.stringMatching(/^\d+m$/)],
    ]);
  });
});

describe("a wrapped fetch that ignores its signal", () => {
  it("does not keep its call from rejecting at the deadline", async () => {
    const ctx = under(30);
    const fetch = createFetch({ fetch: () => new Promise(() => {}) });
    const error: unknown = await run(ctx, () => fetch("http://orders.example/")).catch((e: unknown) => e);
    expect(error).toBe(ctx.err());
    expect(error).toBeInstanceOf(DeadlineExceeded);
  });

  it("does not keep its call from rejecting when the caller's signal aborts", async () => {
    const fetch = createFetch({ fetch: () => new Promise(() => {}) });
    const own = new AbortController();
    const call = run(under("1m"), () => fetch("http://orders.example/", { signal: own.signal })).catch(
      (e: unknown) => e,
    );
    const reason = new Error("mine");
    own.abort(reason);
    expect(await call).toBe(reason);
  });

  it("has the body of its late response canceled", async () => {
    const answer = Promise.withResolvers<Response>();
    const fetch = createFetch({ fetch: () => answer.promise });
    await expect(run(under(20), () => fetch("http://orders.example/"))).rejects.toThrow(DeadlineExceeded);
    const canceled = vi.fn();
    answer.resolve(new Response(new ReadableStream({ cancel: canceled })));
    await vi.waitUntil(() => canceled.mock.calls.length > 0);
  });
});

describe("a call that fails before it connects", () => {
  /** Calls in a context that has ended. The wrapped fetch must not be called. */
  async function failedCall(...call: Parameters<ContextFetch>): Promise<unknown> {
    const [ctx, cancel] = withCancel(background);
    cancel();
    const fetch = vi.fn();
    await expect(run(ctx, () => createFetch({ fetch })(...call))).rejects.toBe(ctx.err());
    expect(fetch).not.toHaveBeenCalled();
    return ctx.err();
  }
  const post = (body: unknown): RequestInit => ({ method: "POST", body, duplex: "half" }) as RequestInit;
  const url = "http://orders.example/";

  it("cancels a web stream as body", async () => {
    const canceled = vi.fn();
    const error = await failedCall(url, post(new ReadableStream({ cancel: canceled })));
    expect(canceled).toHaveBeenCalledExactlyOnceWith(error);
  });

  it("cancels the body of a Request", async () => {
    const canceled = vi.fn();
    const error = await failedCall(new Request(url, post(new ReadableStream({ cancel: canceled }))));
    expect(canceled).toHaveBeenCalledExactlyOnceWith(error);
  });

  it("leaves a locked stream to its reader", async () => {
    const stream = new ReadableStream();
    stream.getReader();
    await failedCall(url, post(stream));
    expect(stream.locked).toBe(true);
  });

  it("destroys a Node stream as body, without an uncaught error", async () => {
    const stream = new Readable({ read() {} });
    const closed = vi.fn();
    stream.on("close", closed);
    await failedCall(url, post(stream));
    await vi.waitUntil(() => closed.mock.calls.length > 0);
    expect(stream.destroyed).toBe(true);
  });

  it("ends an async iterator as body that has begun", async () => {
    const ended = vi.fn();
    async function* chunks(): AsyncGenerator<string> {
      try {
        for (;;) yield "chunk";
      } finally {
        ended();
      }
    }
    const body = chunks();
    await body.next();
    await failedCall(url, post(body));
    await vi.waitUntil(() => ended.mock.calls.length > 0);
  });
});

describe("the created fetch", () => {
  it("has the name and the length of fetch", () => {
    const made = createFetch();
    expect([made.name, made.length]).toEqual([fetch.name, fetch.length]);
  });

  it("keeps its caller in the stack of an inner error", async () => {
    const { url, server } = await serve(echo);
    await new Promise((resolve) => server.close(resolve));
    async function theCaller(fetch: typeof globalThis.fetch): Promise<string> {
      try {
        await fetch(url);
        return "no error";
      } catch (error) {
        return (error as Error).stack!;
      }
    }

    expect(await theCaller(fetchOfUndici)).toContain("theCaller");
    for (const [, options, time] of configurations.filter(([, { retry }]) => retry === undefined)) {
      const fetch = createFetch({ ...options, fetch: fetchOfUndici });
      expect(await run(under(time), () => theCaller(fetch))).toContain("theCaller");
    }
  });
});
