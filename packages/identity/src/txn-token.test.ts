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

/** A request with this header, as a guard is told of it. */
function requestWith(headers: Record<string, string>, ctx: Context = background): GuardedRequest {
  return { ctx, headers: webHeaders(new Headers(headers)) };
}

async function bound(token: string): Promise<Context> {
  return (await txnToken(rules())(requestWith({ "txn-token": token }))) as Context;
}

describe("a Txn-Token", () => {
  it("says who a transaction is for, and what it is", async () => {
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

  it("goes on byte for byte to origins that are allowed, and to no other", async () => {
    const token = await issue();
    const ctx = await bound(token);
    const to = (origins: string[]) => headersSentBy(createFetch({ origins }), ctx);

    expect((await to(["http://127.0.0.1:*"]))["txn-token"]).toBe(token);
    expect(await to([])).not.toHaveProperty("txn-token");
    expect(await to(["http://localhost:*"])).not.toHaveProperty("txn-token");
  });

  it("no longer goes on once it has expired, also not from work that goes on", async () => {
    const ctx = withoutCancel(await bound(await issue()));
    const fetch = createFetch({ origins: ["http://127.0.0.1:*"] });
    expect(await headersSentBy(fetch, ctx)).toHaveProperty("txn-token");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 66_000 });
    expect(await headersSentBy(fetch, ctx)).not.toHaveProperty("txn-token");
    expect(principal(ctx)).toBeUndefined();
  });

  it("is taken away from the request, so that nobody believes it unverified, and is seen by who verifies it", async () => {
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
    ["without the workload that asked for it", () => issue({ req_wl: undefined })],
    ["for two trust domains", () => issue({ aud: ["shop.example", "bank.example"] })],
    ["with an empty transaction", () => issue({ txn: "" })],
    ["with an empty workload", () => issue({ req_wl: "" })],
    ["with scopes in a list", () => issue({ scope: ["inventory:read"] })],
    ["with a number for a scope", () => issue({ scope: 7 })],
    ["with null for a scope", () => issue({ scope: null })],
    ["that was issued in the future", () => issue({ iat: NOW + 30, exp: NOW + 60 })],
    ["that does not say when it was issued", () => issue({ iat: undefined })],
    ["that says in words when it was issued", () => issue({ iat: "now" })],
    ["that lives longer than an hour", () => issue({ iat: NOW - 1800, exp: NOW + 1801 })],
    ["that is none", () => Promise.resolve("a.b.c")],
  ])("%s is refused, and not told of", async (_what, make) => {
    const token = await make();
    const error: unknown = await bound(token).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Unauthenticated);
    expect(inspect(error, { depth: 9 })).not.toContain(token);
  });

  it("may name its trust domain in a list, be issued by a clock that is a little ahead, and live for an hour", async () => {
    const claims = { aud: ["shop.example"], iat: NOW + 3, exp: NOW + 3603 };
    expect(principal(await bound(await issue(claims)))?.subject).toBe("ada");
  });

  it("lives no longer than the guard allows", async () => {
    const guard = txnToken({ ...rules(), maxLifetime: "5m" });
    const verified = async (exp: number) => guard(requestWith({ "txn-token": await issue({ iat: NOW, exp }) }));
    await expect(verified(NOW + 300)).resolves.toBeDefined();
    await expect(verified(NOW + 301)).rejects.toThrow("the token is not valid: it lives longer than 'maxLifetime'");
    expect(() => txnToken({ ...rules(), maxLifetime: "soon" as never })).toThrow("'maxLifetime' must be zero or more");
  });

  it("must be there", async () => {
    await expect(txnToken(rules())(requestWith({}))).rejects.toThrow("there is no Txn-Token");
  });
});

describe("at the edge", () => {
  const ada = { subject: "ada", scopes: ["search"] };
  const withAda = () => withPrincipal(background, ada, "the access token");

  /** A Txn-Token service that answers so, and what it was asked. */
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

  it("a token that was verified is exchanged for a Txn-Token, which goes on in its place", async () => {
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
      "refuses the workload",
      (res) => void res.writeHead(401).end('{"error":"invalid_client"}'),
      "the service answered 401 invalid_client",
    ],
    ["fails", (res) => void res.writeHead(500).end("oops"), "the service answered 500"],
    ["redirects", (res) => void res.writeHead(302, { location: "http://127.0.0.1:1/" }).end(), "fetch failed"],
    ["answers with no JSON", (res) => void res.end("token"), "something other than a Txn-Token"],
    [
      "answers with another kind of token",
      async (res) => granted(await issue(), { issued_token_type: "x" })(res),
      "something other than a Txn-Token",
    ],
    [
      "answers with a token that does not hold",
      async (res) => granted(await issue({ aud: "bank.example" }))(res),
      "what came is not one",
    ],
  ])("where the service %s the request fails, and no token is told of", async (_how, answer, message) => {
    const { pass } = await serving(answer);
    const error: unknown = await pass().catch((e: unknown) => e);
    expect(error).not.toBeInstanceOf(Unauthenticated);
    expect((error as Error).message).toContain(message);
    expect(inspect(error, { depth: 9 })).not.toMatch(/the access token|eyJ/);
  });

  it("a caller's token that is refused is the caller's to mend", async () => {
    const { pass } = await serving((res) => void res.writeHead(400).end('{"error":"invalid_grant"}'));
    await expect(pass()).rejects.toBeInstanceOf(Unauthenticated);
  });

  it("there must be a token to exchange", async () => {
    const { asked, pass } = await serving(granted(await issue()));
    await expect(pass(background)).rejects.toThrow("there is no token to exchange");
    expect(asked).toEqual([]);
  });

  it.each<[object, RegExp]>([
    [{ endpoint: "http://sts.example/token" }, /'endpoint' must be an https URL/],
    [{ endpoint: "sts" }, /'endpoint' must be an https URL/],
    [{ scope: "" }, /'scope' must be a string/],
    [{ trustDomain: "" }, /'trustDomain' must be a string/],
    [{ authenticate: "secret" }, /'authenticate' must be a function/],
    [{ scopes: "a" }, /there is no option 'scopes'/],
  ])("refuses %o when the guard is made", (changes, message) => {
    expect(() => exchangeToken({ ...rules(), endpoint: "https://sts.example/token", scope: "a", ...changes })).toThrow(
      message,
    );
  });

  it("says by a code that an exchange failed", () => {
    expect(new TokenExchangeFailed("no")).toMatchObject({ name: "TokenExchangeFailed", code: "TOKEN_EXCHANGE_FAILED" });
  });
});
