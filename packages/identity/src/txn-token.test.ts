import type http from "node:http";
import { inspect } from "node:util";

import { background, type Context, current, run, withoutCancel } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { type GuardedRequest, requestContext, Unauthenticated } from "@throughline/http";
import { webHeaders } from "@throughline/http/adapter";
import { cleanUpAfterEach, headersSentBy, serve } from "@throughline/test/support/loopback.ts";
import { generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { exchangeToken, TokenExchangeFailed, type TokenExchangeOptions } from "./exchange-token.ts";
import { principal, withPrincipal } from "./principal.ts";
import { txnToken } from "./txn-token.ts";

cleanUpAfterEach();
afterEach(() => void vi.useRealTimers());

let pair: Awaited<ReturnType<typeof generateKeyPair>>;
beforeAll(async () => void (pair = await generateKeyPair("ES256")));
const rules = () => ({ trustDomain: "shop.example", algorithms: ["ES256"], keys: pair.publicKey });

/** Seconds since the epoch. */
const NOW = Math.floor(Date.now() / 1000);

function issue(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = {
    aud: "shop.example",
    iat: now,
    exp: now + 60,
    txn: "97053963",
    sub: "ada",
    scope: "inventory:read search",
    req_wl: "gateway.shop.example",
    tctx: { action: "search" },
    rctx: { req_ip: "192.0.2.1" },
    ...claims,
  };
  return new SignJWT(all).setProtectedHeader({ alg: "ES256", typ: "txntoken+jwt", ...header }).sign(pair.privateKey);
}

/** A request with these headers, as a guard receives it. */
function requestWith(headers: Record<string, string>, ctx: Context = background): GuardedRequest {
  return { ctx, headers: webHeaders(new Headers(headers)) };
}

async function bound(token: string): Promise<Context> {
  return (await txnToken(rules())(requestWith({ "txn-token": token }))) as Context;
}

describe("a Txn-Token", () => {
  it("contains the principal and the transaction", async () => {
    expect(principal(await bound(await issue()))).toMatchObject({
      subject: "ada",
      scopes: ["inventory:read", "search"],
      transaction: {
        id: "97053963",
        requestedBy: "gateway.shop.example",
        details: { action: "search" },
        origin: { req_ip: "192.0.2.1" },
      },
    });
  });

  it("is sent unchanged to allowed origins, and to no others", async () => {
    const token = await issue();
    const ctx = await bound(token);
    const to = (origins: string[]) => headersSentBy(createFetch({ origins }), ctx);

    expect((await to(["http://127.0.0.1:*"]))["txn-token"]).toBe(token);
    expect(await to([])).not.toHaveProperty("txn-token");
    expect(await to(["http://localhost:*"])).not.toHaveProperty("txn-token");
  });

  it("is not sent after it has expired, also from detached work", async () => {
    const ctx = withoutCancel(await bound(await issue()));
    const fetch = createFetch({ origins: ["http://127.0.0.1:*"] });
    expect(await headersSentBy(fetch, ctx)).toHaveProperty("txn-token");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 66_000 });
    expect(await headersSentBy(fetch, ctx)).not.toHaveProperty("txn-token");
    expect(principal(ctx)).toBeUndefined();
  });

  it("is removed from the request on arrival, and read by the guard that verifies it", async () => {
    const token = await issue();
    const guard = txnToken(rules());
    const seen: unknown[] = [];
    const listener = requestContext<http.IncomingMessage, http.ServerResponse>(async (req, res) => {
      seen.push(req.headers["txn-token"], req.rawHeaders.join());
      const { applyGuard, nodeHeaders } = await import("@throughline/http/adapter");
      const ctx = await applyGuard(guard, nodeHeaders(req), current());
      res.end(principal(ctx)?.subject);
    });
    const { url } = await serve((req, res) => void listener(req, res));
    expect(await (await fetch(url, { headers: { "Txn-Token": token } })).text()).toBe("ada");
    expect(seen[0]).toBeUndefined();
    expect(seen[1]).not.toContain(token);
  });

  it.each<[string, () => Promise<string>]>([
    ["of another trust domain", () => issue({ aud: "bank.example" })],
    ["that has expired", () => issue({ exp: 1 })],
    ["of another type", () => issue({}, { typ: "JWT" })],
    ["without a transaction", () => issue({ txn: undefined })],
    ["without a scope", () => issue({ scope: undefined })],
    ["without a requesting workload", () => issue({ req_wl: undefined })],
    ["for two trust domains", () => issue({ aud: ["shop.example", "bank.example"] })],
    ["with an empty transaction", () => issue({ txn: "" })],
    ["with an empty workload", () => issue({ req_wl: "" })],
    ["with scopes in a list", () => issue({ scope: ["inventory:read"] })],
    ["with a number for a scope", () => issue({ scope: 7 })],
    ["with null for a scope", () => issue({ scope: null })],
    ["that was issued in the future", () => issue({ iat: NOW + 30, exp: NOW + 60 })],
    ["without a time of issue", () => issue({ iat: undefined })],
    ["with a time of issue that is not a number", () => issue({ iat: "now" })],
    ["with a lifetime of more than an hour", () => issue({ iat: NOW - 1800, exp: NOW + 1801 })],
    ["that is not a JWT", () => Promise.resolve("a.b.c")],
  ])("%s is rejected with an error that does not contain it", async (_what, make) => {
    const token = await make();
    const error: unknown = await bound(token).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Unauthenticated);
    expect(inspect(error, { depth: 9 })).not.toContain(token);
  });

  it("may have a list of one trust domain, an iat slightly in the future, and a lifetime of an hour", async () => {
    const claims = { aud: ["shop.example"], iat: NOW + 3, exp: NOW + 3603 };
    expect(principal(await bound(await issue(claims)))?.subject).toBe("ada");
  });

  it("is rejected if its lifetime exceeds maxLifetime", async () => {
    const guard = txnToken({ ...rules(), maxLifetime: "5m" });
    const verified = async (exp: number) => guard(requestWith({ "txn-token": await issue({ iat: NOW, exp }) }));
    await expect(verified(NOW + 300)).resolves.toBeDefined();
    await expect(verified(NOW + 301)).rejects.toThrow("the token is not valid: its lifetime exceeds 'maxLifetime'");
    expect(() => txnToken({ ...rules(), maxLifetime: "soon" as never })).toThrow("'maxLifetime' must be zero or more");
  });

  it("is required", async () => {
    await expect(txnToken(rules())(requestWith({}))).rejects.toThrow("the Txn-Token header is missing");
  });
});

describe("exchangeToken", () => {
  const ada = { subject: "ada", scopes: ["search"] };
  const withAda = () => withPrincipal(background, ada, "the access token");

  /** Starts a Txn-Token service, and records its requests. */
  async function serving(
    answer: (res: http.ServerResponse) => void | Promise<void>,
    options: Partial<TokenExchangeOptions> = {},
  ) {
    const asked: URLSearchParams[] = [];
    const { url } = await serve(async (req, res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      asked.push(new URLSearchParams(body));
      await answer(res);
    });
    const guard = exchangeToken({
      ...rules(),
      endpoint: url,
      scope: "inventory:read",
      fetch: createFetch(),
      ...options,
    });
    return { asked, pass: (ctx = withAda()) => run(ctx, async () => (await guard(requestWith({}, ctx))) as Context) };
  }

  const granted =
    (token: string, changes: object = {}) =>
    (res: http.ServerResponse) =>
      void res.setHeader("content-type", "application/json").end(
        JSON.stringify({
          token_type: "N_A",
          issued_token_type: "urn:ietf:params:oauth:token-type:txn_token",
          access_token: token,
          ...changes,
        }),
      );

  it("exchanges the verified token for a Txn-Token, which is sent instead", async () => {
    const token = await issue();
    const { asked, pass } = await serving(granted(token), { requestDetails: () => ({ action: "search" }) });
    const ctx = await pass();

    expect(Object.fromEntries(asked[0]!)).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      requested_token_type: "urn:ietf:params:oauth:token-type:txn_token",
      audience: "shop.example",
      scope: "inventory:read",
      subject_token: "the access token",
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      request_details: '{"action":"search"}',
    });
    expect(principal(ctx)?.transaction?.id).toBe("97053963");
    const sent = await headersSentBy(createFetch({ origins: ["http://127.0.0.1:*"] }), ctx);
    expect(sent["txn-token"]).toBe(token);
    expect(JSON.stringify(sent)).not.toContain("the access token");
  });

  it.each<[string, (res: http.ServerResponse) => void | Promise<void>, string]>([
    [
      "rejects the workload",
      (res) => void res.writeHead(401).end('{"error":"invalid_client"}'),
      "the service responded with 401 invalid_client",
    ],
    ["fails", (res) => void res.writeHead(500).end("oops"), "the service responded with 500"],
    ["redirects", (res) => void res.writeHead(302, { location: "http://127.0.0.1:1/" }).end(), "fetch failed"],
    ["responds with a body that is not JSON", (res) => void res.end("token"), "the response is not a Txn-Token"],
    [
      "responds with another type of token",
      async (res) => granted(await issue(), { issued_token_type: "x" })(res),
      "the response is not a Txn-Token",
    ],
    [
      "responds with a token that is not valid",
      async (res) => granted(await issue({ aud: "bank.example" }))(res),
      "the response is not a valid Txn-Token",
    ],
  ])("fails with an error that contains no token if the service %s", async (_how, answer, message) => {
    const { pass } = await serving(answer);
    const error: unknown = await pass().catch((e: unknown) => e);
    expect(error).not.toBeInstanceOf(Unauthenticated);
    expect((error as Error).message).toContain(message);
    expect(inspect(error, { depth: 9 })).not.toMatch(/the access token|eyJ/);
  });

  it("throws Unauthenticated if the service rejects the caller's token", async () => {
    const { pass } = await serving((res) => void res.writeHead(400).end('{"error":"invalid_grant"}'));
    await expect(pass()).rejects.toBeInstanceOf(Unauthenticated);
  });

  it("throws Unauthenticated if there is no token to exchange", async () => {
    const { asked, pass } = await serving(granted(await issue()));
    await expect(pass(background)).rejects.toThrow("there is no token to exchange");
    expect(asked).toEqual([]);
  });

  it.each<[object, RegExp]>([
    [{ endpoint: "http://sts.example/token" }, /'endpoint' must be an https URL/],
    [{ endpoint: "sts" }, /'endpoint' must be an https URL/],
    [{ scope: "" }, /'scope' must be a string/],
    [{ trustDomain: "" }, /'trustDomain' must be a non-empty string/],
    [{ authenticate: "secret" }, /'authenticate' must be a function/],
    [{ scopes: "a" }, /there is no option 'scopes'/],
  ])("rejects the option %o when the guard is created", (changes, message) => {
    expect(() => exchangeToken({ ...rules(), endpoint: "https://sts.example/token", scope: "a", ...changes })).toThrow(
      message,
    );
  });

  it("fails with an error that has a code", () => {
    expect(new TokenExchangeFailed("no")).toMatchObject({ name: "TokenExchangeFailed", code: "TOKEN_EXCHANGE_FAILED" });
  });
});
