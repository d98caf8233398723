import { background, run, withTimeout } from "@throughline/context";
import { type AnsweringServers, serveAnswers } from "@throughline/test/support/answering-server.ts";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { beforeAll, describe, expect, it } from "vitest";

import { createFetch } from "./create-fetch.ts";

// Whatever a call is made of and whatever is answered, each way to call gives what `fetch` itself gives.

cleanUpAfterEach();

type Arguments = readonly [input: unknown, init?: unknown];
type Fetching = (...call: Arguments) => Promise<Response>;

const plain = createFetch() as Fetching;
const limited = createFetch({ timeout: "20s" }) as Fetching;
const retrying = createFetch({ retry: { backoff: { base: 1, max: 1 } } }) as Fetching;
const selective = createFetch({ origins: ["http://127.0.0.1:*"] }) as Fetching;

const underDeadline =
  (fetch: Fetching): Fetching =>
  (...call) => {
    const [ctx] = withTimeout(background, "20s");
    return run(ctx, () => fetch(...call));
  };

const ways: Readonly<Record<string, Fetching>> = {
  "without a context": plain,
  "under a deadline": underDeadline(plain),
  "with a timeout": limited,
  "with retries": retrying,
  "with origins": selective,
  "with origins, under a deadline": underDeadline(selective),
};

// Whether fetch is undici's is seen by the first call.
beforeAll(async () => {
  const { url } = await serve((_req, res) => void res.end());
  await (await selective(url)).text();
});

/** @param own the call's own controller, of which the signal may be given to it */
type Read = (response: Response, own: AbortController) => unknown;

const text: Read = (response) => response.text();

const reads: Readonly<Record<string, Read>> = {
  text,
  json: (response) => response.json(),
  bytes: (response) => (response as Response & { bytes(): unknown }).bytes(),
  arrayBuffer: async (response) => {
    const buffer = await response.arrayBuffer();
    return [buffer.constructor.name, Buffer.from(buffer).toString()];
  },
  blob: async (response) => {
    const blob = await response.blob();
    return [blob.constructor.name, blob.type, await blob.text()];
  },
  formData: async (response) => [...(await response.formData())],
  iterated: async (response) => {
    const chunks: unknown[] = [];
    for await (const chunk of response.body ?? []) chunks.push([chunk.constructor.name, Buffer.from(chunk).toString()]);
    return [response.body === null, chunks];
  },
  "read into a buffer": async (response) => {
    const reader = response.body!.getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint8Array(4));
    await reader.cancel();
    return Buffer.from(value!).toString();
  },
  cloned: async (response) => {
    const copy = response.clone();
    return [described(copy), await copy.text(), await response.text(), copy.bodyUsed];
  },
  "cloned twice": async (response) => {
    const copy = response.clone().clone();
    response.body?.cancel().catch(() => {});
    return [described(copy), await copy.text()];
  },
  "read twice": async (response) => {
    await response.text();
    return response.text();
  },
  "cloned when read": async (response) => {
    await response.text();
    return response.clone().status;
  },
  "read while locked": (response) => {
    response.body!.getReader();
    return response.text();
  },
  tee: async (response) => {
    const [one, other] = response.body!.tee();
    return [await new Response(one).text(), await new Response(other).text()];
  },
  piped: (response) => {
    const decoded = response.body!.pipeThrough(new TextDecoderStream());
    return new Response(decoded.pipeThrough(new TextEncoderStream())).text();
  },
  "made into another": async (response) => {
    const other = new Response(response.body, response);
    return [described(other), await other.text()];
  },
  canceled: (response) => response.body?.cancel("enough"),
  "left unread": () => undefined,
  "looked at": (response) => [
    Object.prototype.toString.call(response),
    response.constructor.name,
    response instanceof Response,
    response.headers instanceof Headers,
    response.headers.getSetCookie(),
    response.body?.constructor.name,
    Reflect.ownKeys(response).length,
    JSON.stringify(response),
  ],
  "changed in its headers": (response) => response.headers.set("x-new", "1"),
};

/** Headers of a response that two of the same need not have in common. */
const OWN_TO_A_RESPONSE = new Set(["date", "connection", "keep-alive", "transfer-encoding"]);

function described(response: Response): unknown {
  const { status, statusText, ok, url, type, redirected, bodyUsed, body } = response;
  const headers = [...response.headers].filter(([name]) => !OWN_TO_A_RESPONSE.has(name));
  return { status, statusText, ok, url, type, redirected, bodyUsed, hasBody: body !== null, headers };
}

function errorOf(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error) || depth > 2) return error;
  const { constructor, name, message, cause } = error;
  return {
    class: constructor.name,
    name,
    message,
    code: (error as NodeJS.ErrnoException).code,
    cause: errorOf(cause, depth + 1),
  };
}

async function outcomeOf(fetch: Fetching, { call, read }: Row, at: AnsweringServers): Promise<unknown> {
  const own = new AbortController();
  let response: Response;
  try {
    response = await fetch(...call(at, own));
  } catch (error) {
    return { rejected: errorOf(error) };
  }
  const head = described(response);
  try {
    return { head, body: await read(response, own), bodyUsed: response.bodyUsed };
  } catch (error) {
    return { head, failed: errorOf(error), bodyUsed: response.bodyUsed };
  }
}

interface Row {
  readonly name: string;
  /** Made for each way anew, as a body can be sent once. */
  readonly call: (at: AnsweringServers, own: AbortController) => Arguments;
  readonly read: Read;
}

/** A call of a path with what `init` makes, which is wrong in some rows. */
function row(name: string, path: string, init: () => unknown = () => ({}), read: Read = text): Row {
  return { name, call: ({ here }) => [here + path, init()], read };
}

/** A call with any arguments. */
function given(name: string, call: Row["call"], read: Read = text): Row {
  return { name, call, read };
}

const bare: Fetching = (...call) => fetch(...(call as Parameters<typeof fetch>));

function sameInAllWays(rows: readonly Row[]): void {
  it.each(rows)("$name", async (row) => {
    const at = await serveAnswers();
    const wanted = await outcomeOf(bare, row, at);
    const outcomes = Object.entries(ways).map(async ([way, fetch]) => [way, await outcomeOf(fetch, row, at)]);
    const alike = Object.keys(ways).map((way) => [way, wanted]);
    expect(Object.fromEntries(await Promise.all(outcomes))).toEqual(Object.fromEntries(alike));
  });
}

describe("the same as fetch: a method", () => {
  const methods =
    "GET POST PUT PATCH DELETE OPTIONS HEAD get post put patch delete QUERY FOO TRACE TRACK CONNECT b@d".split(" ");
  sameInAllWays(methods.map((method) => row(method, "echo", () => ({ method }))));
});

describe("the same as fetch: a body", () => {
  const form = (): FormData => {
    const fields = new FormData();
    fields.append("a", "1");
    fields.append("f", new File(["x"], "name.txt", { type: "text/plain" }));
    return fields;
  };
  const bodies: Readonly<Record<string, () => unknown>> = {
    "a string": () => "abc",
    "an empty string": () => "",
    URLSearchParams: () => new URLSearchParams({ a: "1 2" }),
    "a Buffer": () => Buffer.from("abc"),
    "a Uint8Array": () => new Uint8Array([97, 98]),
    "an ArrayBuffer": () => new Uint8Array([97]).buffer,
    "a DataView": () => new DataView(new ArrayBuffer(2)),
    "a Blob": () => new Blob(["abc"], { type: "text/x" }),
    "a Blob without a type": () => new Blob(["abc"]),
    "a form": form,
    null: () => null,
    undefined: () => undefined,
    "a number": () => 12,
    "an object": () => ({ a: 1 }),
  };
  const streams: Readonly<Record<string, () => unknown>> = {
    "a stream": () => new Blob(["abc"]).stream(),
    "an async iterator": async function* () {
      yield Buffer.from("abc");
    },
  };
  const of = (kinds: typeof bodies, others: object): Row[] =>
    Object.entries(kinds).map(([name, body]) => row(name, "echo", () => ({ method: "POST", body: body(), ...others })));
  const withHeaders = (body: string, headers: object) => () => ({ method: "POST", body, headers });
  sameInAllWays([
    ...of(bodies, {}),
    ...of(streams, { duplex: "half" }),
    row("a stream without duplex", "echo", () => ({ method: "POST", body: new Blob(["a"]).stream() })),
    row("of a GET", "echo", () => ({ method: "GET", body: "x" })),
    row("of a HEAD", "echo", () => ({ method: "HEAD", body: "x" })),
    row("with a type of its own", "echo", withHeaders("{}", { "content-type": "application/json" })),
    row("with a length of its own", "echo", withHeaders("abc", { "content-length": "3" })),
    row("a form, redirected", "redirect?is=307", () => ({ method: "POST", body: form() })),
    row("a Blob, redirected", "redirect?is=308", () => ({ method: "PUT", body: new Blob(["abc"]) })),
    ...[303, 307].map((status) =>
      row(`a stream, redirected by ${status}`, `redirect?is=${status}`, () => ({
        method: "POST",
        body: new Blob(["abc"]).stream(),
        duplex: "half",
      })),
    ),
  ]);
});

describe("the same as fetch: headers", () => {
  const kinds: Readonly<Record<string, () => unknown>> = {
    "an object": () => ({ "X-A": "1", "x-b": "2" }),
    "pairs, two of one name": () => [
      ["x-a", "1"],
      ["X-A", "2"],
    ],
    Headers: () => new Headers({ "x-a": "1" }),
    "a Map": () => new Map([["x-a", "1"]]),
    null: () => null,
    "a string": () => "str",
    "a pair of one": () => [["x"]],
  };
  const single: readonly Record<string, unknown>[] = [
    { "x-a": 1 },
    { "x-a": undefined },
    { "x-a": "é" },
    { "x-a": "☃" },
    { "bad name": "1" },
    { "x-a": "a\nb" },
    { cookie: "a=1", authorization: "Bearer x" },
    { "accept-encoding": "identity" },
    { expect: "100-continue" },
    { "transfer-encoding": "chunked" },
    { host: "other.example" },
    { connection: "close" },
    { "keep-alive": "timeout=5" },
  ];
  sameInAllWays([
    ...Object.entries(kinds).map(([name, headers]) => row(name, "echo", () => ({ headers: headers() }))),
    ...single.map((headers) => row(JSON.stringify(headers), "echo", () => ({ headers }))),
  ]);
});

describe("the same as fetch: a status", () => {
  const statuses = [
    200, 201, 204, 205, 206, 207, 226, 300, 304, 400, 401, 404, 407, 409, 410, 412, 416, 418, 421, 422, 425, 451, 500,
    501, 511, 599, 600, 777, 999,
  ];
  sameInAllWays([
    ...statuses.map((status) => row(`${status}, cloned`, `status?is=${status}`, () => ({}), reads["cloned"])),
    ...[204, 205, 304].map((status) =>
      row(`${status}, iterated`, `status?is=${status}`, () => ({}), reads["iterated"]),
    ),
  ]);
});

describe("the same as fetch: a response", () => {
  const encodings = ["gzip", "x-gzip", "br", "deflate", "zstd", "gzip, gzip", "gzip, br", "snappy"];
  const paths =
    "no-gzip half-gzip empty-gzip too-short closed reset in-two empty hints trailers no-json nowhere refresh bom none".split(
      " ",
    );
  const read = (path: string, ...names: string[]): Row[] =>
    names.map((name) => row(`${path}, ${name}`, path, () => ({}), reads[name]));
  sameInAllWays([
    ...encodings.map((encoding) => row(`encoded as ${encoding}`, `encoded?as=${encodeURIComponent(encoding)}`)),
    ...paths.map((path) => row(path, path)),
    ...read("echo", ...Object.keys(reads).filter((name) => name !== "formData")),
    ...["too-short", "reset", "half-gzip", "no-gzip"].flatMap((path) =>
      read(path, "iterated", "json", "blob", "cloned", "piped", "bytes"),
    ),
    ...read("empty", "json", "formData", "blob", "cloned", "looked at", "iterated"),
    ...read("bom", "json"),
    ...read("no-json", "json"),
    ...read("form", "formData"),
    ...read("multipart", "formData"),
    ...["text", "cloned", "looked at", "iterated"].map((name) =>
      row(`of a HEAD, ${name}`, "echo", () => ({ method: "HEAD" }), reads[name]),
    ),
  ]);
});

describe("the same as fetch: a redirect", () => {
  const statuses = [300, 301, 302, 303, 304, 305, 307, 308];
  const byMethod = ["GET", "HEAD", "POST", "PUT"].flatMap((method) =>
    statuses.map((status) => {
      const body = method.startsWith("P") && { body: "abc", headers: { "content-language": "en", "x-b": "1" } };
      return row(`of a ${method} by ${status}`, `redirect?is=${status}`, () => ({ method, ...body }), reads["cloned"]);
    }),
  );
  const locations = [
    "/echo#fragment",
    "//localhost:1/x",
    "",
    "?is=200",
    "../echo",
    "http://[bad",
    "ftp://x/y",
    "data:text/plain,hi",
    "about:blank",
    "/caf%C3%A9",
    "/a b",
    "http://u:p@127.0.0.1:1/",
  ];
  const secrets = { authorization: "Bearer s", cookie: "c=1", "proxy-authorization": "p", "x-kept": "1" };
  sameInAllWays([
    ...byMethod,
    ...["follow", "manual", "error", "bogus"].map((redirect) =>
      row(`that is to be: ${redirect}`, "redirect", () => ({ redirect }), reads["cloned"]),
    ),
    ...locations.map((to) => row(`to ${JSON.stringify(to)}`, `redirect?to=${encodeURIComponent(to)}`)),
    row("of an address with a fragment", "redirect#kept"),
    row("in a circle", "circle"),
    row("over 20 hops", "hops?left=20"),
    row("over 21 hops", "hops?left=21"),
    row("without a place to go to", "nowhere", () => ({ method: "POST", body: "abc" }), reads["cloned"]),
    ...["GET", "POST"].map((method) =>
      given(`of a ${method} to another origin, with secrets`, ({ here, elsewhere }) => [
        `${here}redirect?is=307&to=${elsewhere}echo`,
        { method, headers: secrets, ...(method === "POST" && { body: "abc" }) },
      ]),
    ),
  ]);
});

describe("the same as fetch: a signal", () => {
  const abortedInTheBody = (name: string, reason?: unknown): Row =>
    given(
      name,
      ({ here }, { signal }) => [`${here}begun`, { signal }],
      async (response, own) => {
        const reader = response.body!.getReader();
        await reader.read();
        own.abort(reason);
        return reader.read();
      },
    );
  sameInAllWays([
    row("that has aborted", "echo", () => ({ signal: AbortSignal.abort() })),
    row("that has aborted for a reason", "echo", () => ({ signal: AbortSignal.abort(new Error("mine")) })),
    row("that has aborted with a string", "echo", () => ({ signal: AbortSignal.abort("text") })),
    row("that has aborted, with a stream to send", "echo", () => ({
      method: "POST",
      body: new Blob(["abc"]).stream(),
      duplex: "half",
      signal: AbortSignal.abort(),
    })),
    row("that is null", "echo", () => ({ signal: null })),
    row("that is none", "echo", () => ({ signal: {} })),
    row("that times out in the middle of the body", "begun", () => ({ signal: AbortSignal.timeout(400) })),
    row("that follows one that times out", "begun", () => ({ signal: AbortSignal.any([AbortSignal.timeout(400)]) })),
    abortedInTheBody("that aborts in the middle of the body"),
    abortedInTheBody("that aborts in the middle of the body for a reason", new Error("mine")),
    ...["text", "iterated", "cloned"].map((name) =>
      given(
        `that aborts when all has arrived, ${name}`,
        ({ here }, { signal }) => [`${here}echo`, { signal }],
        async (response, own) => {
          const read = reads[name]!(response, own);
          own.abort();
          return read;
        },
      ),
    ),
    given("of a Request that has aborted", ({ here }) => [new Request(`${here}echo`, { signal: AbortSignal.abort() })]),
    given("of a Request that has aborted, and null", ({ here }) => [
      new Request(`${here}echo`, { signal: AbortSignal.abort() }),
      { signal: null },
    ]),
  ]);
});

describe("the same as fetch: other members of init", () => {
  const ofNothing = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  const members: readonly Record<string, unknown>[] = [
    ...["cors", "no-cors", "same-origin", "navigate"].map((mode) => ({ mode })),
    ...["omit", "same-origin", "include"].map((credentials) => ({ credentials })),
    ...["no-store", "reload", "only-if-cached"].map((cache) => ({ cache })),
    { keepalive: true },
    { keepalive: true, method: "POST", body: "a" },
    { referrer: "about:client", referrerPolicy: "no-referrer" },
    { priority: "high" },
    { window: null },
    { window: {} },
    { duplex: "full", method: "POST", body: "a" },
    { dispatcher: null },
    { unknown: 1 },
  ];
  const inits: readonly unknown[] = [undefined, null, 5, "text", () => {}, []];
  sameInAllWays([
    ...members.map((member) => row(JSON.stringify(member), "echo", () => member, reads["cloned"])),
    ...inits.map((init) => row(`in the place of init: ${String(init)}`, "echo", () => init)),
    row("integrity that is right", "empty", () => ({ integrity: ofNothing })),
    row("integrity that is not", "form", () => ({ integrity: ofNothing })),
    row("integrity over a redirect", "redirect?to=/empty", () => ({ integrity: ofNothing })),
  ]);
});

describe("the same as fetch: an address", () => {
  const addresses: readonly unknown[] = [
    "data:text/plain;charset=utf-8,h%C3%A9",
    "data:nocomma",
    "blob:nodedata:00000000-0000-0000-0000-000000000000",
    "about:blank",
    "file:///etc/hostname",
    "ftp://x/y",
    "/relative",
    "",
    "http://",
    "http://127.0.0.1:1/",
    "http://127.0.0.1:6667/",
    "http://127.0.0.1:70000/",
    "http://u:p@127.0.0.1/",
    42,
    undefined,
    null,
  ];
  const inMemory = URL.createObjectURL(new Blob(["of memory"], { type: "text/b" }));
  sameInAllWays([
    ...addresses.map((address) => given(String(address) || "an empty one", () => [address])),
    given("no arguments", () => [] as unknown as Arguments),
    given("data:, cloned", () => ["data:text/plain,x"], reads["cloned"]),
    given("blob:", () => [inMemory]),
    given("a part of blob:", () => [inMemory, { headers: { range: "bytes=1-3" } }]),
    given("a URL", ({ here }) => [new URL(`${here}echo`)]),
    given("an object that is written as one", ({ here }) => [{ toString: () => `${here}echo` }]),
    given("letters beyond ASCII", ({ here }) => [`${here}ü?q=ä`]),
    given("a fragment", ({ here }) => [`${here}echo#part`], reads["cloned"]),
    row("a query", "echo?a=1&a=2&b"),
  ]);
});

describe("the same as fetch: a Request", () => {
  const post = { method: "POST", body: "abc", headers: { "x-a": "1" } };
  const used = (url: string): Request => {
    const request = new Request(url, post);
    void request.text();
    return request;
  };
  class Derived extends Request {}
  const requests: readonly (readonly [name: string, path: string, init: object, other?: object])[] = [
    ["of a GET", "echo", { headers: { "x-a": "1" } }],
    ["of a POST", "echo", post],
    ["of a POST, with other headers", "echo", post, { headers: { "x-b": "2" } }],
    ["of a POST, with another body", "echo", post, { body: new URLSearchParams("z=1") }],
    ["of a GET, with another method", "echo", {}, { method: "DELETE" }],
    ["that is not redirected", "redirect", { redirect: "manual" }],
    ["that is not redirected, but for init", "redirect", { redirect: "manual" }, { redirect: "follow" }],
    ["of a POST, redirected by 307", "redirect?is=307", post],
    ["of a POST, redirected by 303", "redirect?is=303", post],
    ["of a GET, redirected", "redirect", { headers: { "x-a": "1" } }],
    ["with much else", "echo", { keepalive: true, credentials: "omit", cache: "no-store", referrerPolicy: "origin" }],
  ];
  sameInAllWays([
    ...requests.map(([name, path, init, other]) => given(name, ({ here }) => [new Request(here + path, init), other])),
    given("that was read", ({ here }) => [used(`${here}echo`)]),
    given("that is a copy", ({ here }) => [new Request(`${here}echo`, post).clone()]),
    given("of a class of its own", ({ here }) => [new Derived(`${here}echo`, post)]),
    given("in the place of init", ({ here }) => [`${here}echo`, new Request(`${here}other`, post)]),
    given("and another in the place of init", ({ here }) => [
      new Request(`${here}echo`),
      new Request(`${here}x`, post),
    ]),
    given("redirected elsewhere, with secrets", ({ here, elsewhere }) => [
      new Request(`${here}redirect?to=${elsewhere}echo`, { headers: { authorization: "Bearer s", "x-a": "1" } }),
    ]),
  ]);
});
