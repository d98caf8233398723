import { background, run, withTimeout } from "@throughline/context";
import { type AnsweringServers, serveAnswers } from "@throughline/test/support/answering-server.ts";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { beforeAll, describe, expect, it } from "vitest";

import { createFetch } from "./create-fetch.ts";

// For each call and each response, every configuration of createFetch behaves as `fetch` itself does.

cleanUpAfterEach();

type Arguments = readonly [input: unknown, init?: unknown];
type AnyFetch = (...call: Arguments) => Promise<Response>;

const plain = createFetch() as AnyFetch;
const limited = createFetch({ timeout: "20s" }) as AnyFetch;
const retrying = createFetch({ retry: { backoff: { base: 1, max: 1 } } }) as AnyFetch;
const selective = createFetch({ origins: ["http://127.0.0.1:*"] }) as AnyFetch;

const underDeadline =
  (fetch: AnyFetch): AnyFetch =>
  (...call) => {
    const [ctx] = withTimeout(background, "20s");
    return run(ctx, () => fetch(...call));
  };

const configurations: Readonly<Record<string, AnyFetch>> = {
  "without a context": plain,
  "under a deadline": underDeadline(plain),
  "with a timeout": limited,
  "with retries": retrying,
  "with origins": selective,
  "with origins, under a deadline": underDeadline(selective),
};

// The first call shows whether fetch is undici's.
beforeAll(async () => {
  const { url } = await serve((_req, res) => void res.end());
  await (await selective(url)).text();
});

/** @param own the controller of the call's own signal, if the call has one */
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

/** Headers that may differ between equal responses. */
const VARYING_HEADERS = new Set(["date", "connection", "keep-alive", "transfer-encoding"]);

function described(response: Response): unknown {
  const { status, statusText, ok, url, type, redirected, bodyUsed, body } = response;
  const headers = [...response.headers].filter(([name]) => !VARYING_HEADERS.has(name));
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

async function outcomeOf(fetch: AnyFetch, { call, read }: Row, at: AnsweringServers): Promise<unknown> {
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
  /** Creates the arguments anew for each configuration, as a body can be sent only once. */
  readonly call: (at: AnsweringServers, own: AbortController) => Arguments;
  readonly read: Read;
}

/** A call of a path with the result of `init`, which is invalid in some rows. */
function row(name: string, path: string, init: () => unknown = () => ({}), read: Read = text): Row {
  return { name, call: ({ here }) => [here + path, init()], read };
}

/** A call with any arguments. */
function callRow(name: string, call: Row["call"], read: Read = text): Row {
  return { name, call, read };
}

const bare: AnyFetch = (...call) => fetch(...(call as Parameters<typeof fetch>));

function testEachConfiguration(rows: readonly Row[]): void {
  it.each(rows)("$name", async (row) => {
    const at = await serveAnswers();
    const expected = await outcomeOf(bare, row, at);
    const outcomes = Object.entries(configurations).map(async ([name, fetch]) => [
      name,
      await outcomeOf(fetch, row, at),
    ]);
    const same = Object.keys(configurations).map((name) => [name, expected]);
    expect(Object.fromEntries(await Promise.all(outcomes))).toEqual(Object.fromEntries(same));
  });
}

describe("the same as fetch: a method", () => {
  const methods =
    "GET POST PUT PATCH DELETE OPTIONS HEAD get post put patch delete QUERY FOO TRACE TRACK CONNECT b@d".split(" ");
  testEachConfiguration(methods.map((method) => row(method, "echo", () => ({ method }))));
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
  testEachConfiguration([
    ...of(bodies, {}),
    ...of(streams, { duplex: "half" }),
    row("a stream without duplex", "echo", () => ({ method: "POST", body: new Blob(["a"]).stream() })),
    row("a string with GET", "echo", () => ({ method: "GET", body: "x" })),
    row("a string with HEAD", "echo", () => ({ method: "HEAD", body: "x" })),
    row("with an explicit content-type", "echo", withHeaders("{}", { "content-type": "application/json" })),
    row("with an explicit content-length", "echo", withHeaders("abc", { "content-length": "3" })),
    row("a form, redirected by 307", "redirect?is=307", () => ({ method: "POST", body: form() })),
    row("a Blob, redirected by 308", "redirect?is=308", () => ({ method: "PUT", body: new Blob(["abc"]) })),
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
    "pairs with a repeated name": () => [
      ["x-a", "1"],
      ["X-A", "2"],
    ],
    Headers: () => new Headers({ "x-a": "1" }),
    "a Map": () => new Map([["x-a", "1"]]),
    null: () => null,
    "a string": () => "str",
    "a pair with one element": () => [["x"]],
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
  testEachConfiguration([
    ...Object.entries(kinds).map(([name, headers]) => row(name, "echo", () => ({ headers: headers() }))),
    ...single.map((headers) => row(JSON.stringify(headers), "echo", () => ({ headers }))),
  ]);
});

describe("the same as fetch: a status", () => {
  const statuses = [
    200, 201, 204, 205, 206, 207, 226, 300, 304, 400, 401, 404, 407, 409, 410, 412, 416, 418, 421, 422, 425, 451, 500,
    501, 511, 599, 600, 777, 999,
  ];
  testEachConfiguration([
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
  testEachConfiguration([
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
      row(`to HEAD, ${name}`, "echo", () => ({ method: "HEAD" }), reads[name]),
    ),
  ]);
});

describe("the same as fetch: a redirect", () => {
  const statuses = [300, 301, 302, 303, 304, 305, 307, 308];
  const byMethod = ["GET", "HEAD", "POST", "PUT"].flatMap((method) =>
    statuses.map((status) => {
      const body = method.startsWith("P") && { body: "abc", headers: { "content-language": "en", "x-b": "1" } };
      return row(`of ${method} by ${status}`, `redirect?is=${status}`, () => ({ method, ...body }), reads["cloned"]);
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
  const credentials = { authorization: "Bearer s", cookie: "c=1", "proxy-authorization": "p", "x-kept": "1" };
  testEachConfiguration([
    ...byMethod,
    ...["follow", "manual", "error", "bogus"].map((redirect) =>
      row(`with redirect '${redirect}'`, "redirect", () => ({ redirect }), reads["cloned"]),
    ),
    ...locations.map((to) => row(`to ${JSON.stringify(to)}`, `redirect?to=${encodeURIComponent(to)}`)),
    row("from a URL with a fragment", "redirect#kept"),
    row("in a loop", "circle"),
    row("over 20 hops", "hops?left=20"),
    row("over 21 hops", "hops?left=21"),
    row("without a location", "nowhere", () => ({ method: "POST", body: "abc" }), reads["cloned"]),
    ...["GET", "POST"].map((method) =>
      callRow(`of ${method} to another origin, with credentials`, ({ here, elsewhere }) => [
        `${here}redirect?is=307&to=${elsewhere}echo`,
        { method, headers: credentials, ...(method === "POST" && { body: "abc" }) },
      ]),
    ),
  ]);
});

describe("the same as fetch: a signal", () => {
  const abortedDuringBody = (name: string, reason?: unknown): Row =>
    callRow(
      name,
      ({ here }, { signal }) => [`${here}begun`, { signal }],
      async (response, own) => {
        const reader = response.body!.getReader();
        await reader.read();
        own.abort(reason);
        return reader.read();
      },
    );
  testEachConfiguration([
    row("already aborted", "echo", () => ({ signal: AbortSignal.abort() })),
    row("already aborted with a reason", "echo", () => ({ signal: AbortSignal.abort(new Error("mine")) })),
    row("already aborted with a string", "echo", () => ({ signal: AbortSignal.abort("text") })),
    row("already aborted, with a stream as body", "echo", () => ({
      method: "POST",
      body: new Blob(["abc"]).stream(),
      duplex: "half",
      signal: AbortSignal.abort(),
    })),
    row("null", "echo", () => ({ signal: null })),
    row("invalid", "echo", () => ({ signal: {} })),
    row("that times out during the body", "begun", () => ({ signal: AbortSignal.timeout(400) })),
    row("derived from one that times out", "begun", () => ({ signal: AbortSignal.any([AbortSignal.timeout(400)]) })),
    abortedDuringBody("that aborts during the body"),
    abortedDuringBody("that aborts during the body with a reason", new Error("mine")),
    ...["text", "iterated", "cloned"].map((name) =>
      callRow(
        `that aborts after the body has arrived, ${name}`,
        ({ here }, { signal }) => [`${here}echo`, { signal }],
        async (response, own) => {
          const read = reads[name]!(response, own);
          own.abort();
          return read;
        },
      ),
    ),
    callRow("of a Request, already aborted", ({ here }) => [
      new Request(`${here}echo`, { signal: AbortSignal.abort() }),
    ]),
    callRow("of a Request, already aborted, with null in init", ({ here }) => [
      new Request(`${here}echo`, { signal: AbortSignal.abort() }),
      { signal: null },
    ]),
  ]);
});

describe("the same as fetch: other members of init", () => {
  const emptyDigest = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
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
  testEachConfiguration([
    ...members.map((member) => row(JSON.stringify(member), "echo", () => member, reads["cloned"])),
    ...inits.map((init) => row(`init is ${String(init)}`, "echo", () => init)),
    row("matching integrity", "empty", () => ({ integrity: emptyDigest })),
    row("mismatching integrity", "form", () => ({ integrity: emptyDigest })),
    row("integrity with a redirect", "redirect?to=/empty", () => ({ integrity: emptyDigest })),
  ]);
});

describe("the same as fetch: a URL", () => {
  const urls: readonly unknown[] = [
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
  const inMemory = URL.createObjectURL(new Blob(["in memory"], { type: "text/b" }));
  testEachConfiguration([
    ...urls.map((url) => callRow(String(url) || "an empty string", () => [url])),
    callRow("no arguments", () => [] as unknown as Arguments),
    callRow("data:, cloned", () => ["data:text/plain,x"], reads["cloned"]),
    callRow("blob:", () => [inMemory]),
    callRow("a range of blob:", () => [inMemory, { headers: { range: "bytes=1-3" } }]),
    callRow("a URL", ({ here }) => [new URL(`${here}echo`)]),
    callRow("an object with toString", ({ here }) => [{ toString: () => `${here}echo` }]),
    callRow("non-ASCII characters", ({ here }) => [`${here}ü?q=ä`]),
    callRow("a fragment", ({ here }) => [`${here}echo#part`], reads["cloned"]),
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
    ["GET", "echo", { headers: { "x-a": "1" } }],
    ["POST", "echo", post],
    ["POST, with other headers in init", "echo", post, { headers: { "x-b": "2" } }],
    ["POST, with another body in init", "echo", post, { body: new URLSearchParams("z=1") }],
    ["GET, with another method in init", "echo", {}, { method: "DELETE" }],
    ["with redirect 'manual'", "redirect", { redirect: "manual" }],
    ["with redirect 'manual', and 'follow' in init", "redirect", { redirect: "manual" }, { redirect: "follow" }],
    ["POST, redirected by 307", "redirect?is=307", post],
    ["POST, redirected by 303", "redirect?is=303", post],
    ["GET, redirected", "redirect", { headers: { "x-a": "1" } }],
    [
      "with several other members",
      "echo",
      { keepalive: true, credentials: "omit", cache: "no-store", referrerPolicy: "origin" },
    ],
  ];
  testEachConfiguration([
    ...requests.map(([name, path, init, other]) =>
      callRow(name, ({ here }) => [new Request(here + path, init), other]),
    ),
    callRow("whose body was read", ({ here }) => [used(`${here}echo`)]),
    callRow("that is a clone", ({ here }) => [new Request(`${here}echo`, post).clone()]),
    callRow("of a subclass", ({ here }) => [new Derived(`${here}echo`, post)]),
    callRow("as init", ({ here }) => [`${here}echo`, new Request(`${here}other`, post)]),
    callRow("with another Request as init", ({ here }) => [new Request(`${here}echo`), new Request(`${here}x`, post)]),
    callRow("redirected to another origin, with credentials", ({ here, elsewhere }) => [
      new Request(`${here}redirect?to=${elsewhere}echo`, { headers: { authorization: "Bearer s", "x-a": "1" } }),
    ]),
  ]);
});
