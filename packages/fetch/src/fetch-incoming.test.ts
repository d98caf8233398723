import { createKey, current } from "@throughline/context";
import { propagateValue, textCodec } from "@throughline/http";
import { describe, expect, it } from "vitest";

import { requestContext } from "./request-context.ts";

propagateValue(createKey<string>("region"), { name: "incoming-region", codec: textCodec, maxBytes: 64, as: "header" });
propagateValue(createKey<string>("tenant"), { name: "incoming-tenant", codec: textCodec, maxBytes: 64 });

const URL_ = "http://shop.example/items";
const INIT = {
  method: "POST",
  body: "body",
  headers: {
    "incoming-region": "evil",
    "incoming.region": "evil",
    baggage: "note=kept,incoming-tenant=evil",
    "throughline-criticality": "critical",
    "x-kept": "1",
  },
};
const KEPT = { baggage: "note=kept", "content-type": "text/plain;charset=UTF-8", "x-kept": "1" };

/** The request that the handler receives for this one. */
async function handledRequest<R extends Request>(request: R): Promise<R> {
  const { promise, resolve } = Promise.withResolvers<Request>();
  const handler = requestContext((received) => (resolve(received), new Response("ok")), { acceptBaggage: "any" });
  await handler(request);
  return (await promise) as R;
}

const entries = ({ headers }: Request): Record<string, string> => Object.fromEntries(headers);

interface LazyRequest extends Request {
  real: Request | undefined;
}

/** A request as of hosts that create the platform Request lazily, with its own headers. */
function lazyRequest(): LazyRequest {
  const headers = new Headers({ ...INIT.headers, "content-type": KEPT["content-type"] });
  const realOf = (lazy: LazyRequest): Request => (lazy.real ??= new Request(URL_, { ...INIT, headers }));
  return Object.create(Request.prototype, {
    url: { value: URL_ },
    method: { value: INIT.method },
    headers: { value: headers },
    signal: { value: new AbortController().signal },
    real: { value: undefined, writable: true },
    body: {
      get(this: LazyRequest) {
        return realOf(this).body;
      },
    },
    clone: {
      value(this: LazyRequest) {
        return realOf(this).clone();
      },
    },
  }) as LazyRequest;
}

/** A request with immutable headers, as of Cloudflare Workers. */
function immutableRequest(): Request & { readonly cf: object } {
  const request = Object.assign(new Request(URL_, INIT), { cf: { country: "NZ" } });
  const refuse = (): never => {
    throw new TypeError("Can't modify immutable headers.");
  };
  Object.assign(request.headers, { set: refuse, delete: refuse, append: refuse });
  return request;
}

describe("headers that an untrusted client may not set are removed", () => {
  it("from a platform Request and its copies", async () => {
    const request = await handledRequest(new Request(URL_, INIT));

    for (const each of [request, request.clone(), new Request(request)]) expect(entries(each)).toEqual(KEPT);
  });

  it.each<[string, (request: Request) => unknown]>([
    ["nothing was read", () => {}],
    ["the body was accessed", (request) => request.body],
    ["the request was cloned", (request) => request.clone()],
  ])("from a request with a lazy platform Request, and from that, if %s before", async (_what, touch) => {
    const lazy = lazyRequest();
    touch(lazy);
    const request = await handledRequest(lazy);

    expect(request).toBe(lazy);
    for (const each of [request, request.clone()]) expect(entries(each)).toEqual(KEPT);
  });

  it.each<[string, (request: Request) => unknown]>([
    ["nothing was read", () => {}],
    ["the body was accessed", (request) => request.body],
    ["the request was cloned", (request) => request.clone().text()],
  ])("from a request with immutable headers, by a new one with its body, if %s before", async (_what, touch) => {
    const immutable = immutableRequest();
    await touch(immutable);
    const request = await handledRequest(immutable);

    for (const each of [request, request.clone()]) expect(entries(each)).toEqual(KEPT);
    expect(request.cf).toBe(immutable.cf);
    const copy = new Request(request);
    expect([entries(copy), await copy.text()]).toEqual([KEPT, "body"]);
  });

  it("from a request whose body was read, which stays read", async () => {
    const immutable = immutableRequest();
    await immutable.text();
    const request = await handledRequest(immutable);

    expect([entries(request), request.bodyUsed]).toEqual([KEPT, true]);
    expect(entries(new Request(request, { method: "POST", body: "another" }))).toEqual(KEPT);
  });
});

it("a nested request context recognizes a request with immutable headers", async () => {
  const left: number[] = [];
  const inner = requestContext(() => new Response(String(left.push(current().remaining()))), { maxTimeout: "9s" });
  await requestContext((request) => inner(request), { maxTimeout: "2s" })(immutableRequest());

  expect(left).toEqual([expect.any(Number)]);
  expect(left[0]).toBeLessThanOrEqual(2000);
});

it("a request with an invalid URL is handled", async () => {
  const request = Object.defineProperty(new Request(URL_), "url", { value: "http://[/items" });
  const response = await requestContext(() => new Response("ok"))(request);

  expect(await response.text()).toBe("ok");
});
