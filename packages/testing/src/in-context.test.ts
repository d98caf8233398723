import { createKey, current, traceId } from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";
import { errorHandler, guard as expressGuard, requestContext as expressContext } from "@throughline/express";
import { guard as fetchGuard, requestContext as fetchContext } from "@throughline/fetch";
import { bearer, principal } from "@throughline/identity";
import { guard as koaGuard, requestContext as koaContext } from "@throughline/koa";
import express from "express";
import Koa from "koa";
import request from "supertest";
import { afterEach, aroundEach, describe, expect, it, vi } from "vitest";

import { inContext } from "./in-context.ts";
import { fakeToken, fakeVerifier, injectTestPrincipal, testPrincipal } from "./test-principal.ts";

const tenantKey = createKey<string>("tenant");
const TRACE = "0af7651916cd43dd8448eb211c80319c";

it("runs a function in a context with a deadline, values, a principal and a trace, and cancels it", async () => {
  const options = { timeout: "2s", values: [[tenantKey, "acme"]], principal: testPrincipal(), traceId: TRACE } as const;
  const ctx = await inContext(options, async (given) => {
    await new Promise(setImmediate);
    expect(current()).toBe(given);
    expect(given.remaining()).toBeLessThanOrEqual(2000);
    expect(deadlineDetails(given)?.source).toBe("test");
    expect([given.value(tenantKey), principal()?.subject, traceId()]).toEqual(["acme", "test-subject", TRACE]);
    expect(given.err()).toBeUndefined();
    return given;
  });
  expect(ctx.err()?.name).toBe("AbortError");
  expect(current().value(tenantKey)).toBeUndefined();
});

it("cancels the context also if the function fails", async () => {
  let ctx = current();
  const failing = inContext({}, (given) => {
    ctx = given;
    throw new Error("the test's own");
  });
  await expect(failing).rejects.toThrow("the test's own");
  expect(ctx.err()?.name).toBe("AbortError");
});

describe("in a hook", () => {
  aroundEach(inContext({ values: [[tenantKey, "acme"]] }));
  const seen = new Set<unknown>();
  it.each([1, 2])("each test has a context of its own: %i", async () => {
    await new Promise(setImmediate);
    expect(current().value(tenantKey)).toBe("acme");
    expect(seen.has(current())).toBe(false);
    seen.add(current());
  });
});

it.each<[object, RegExp]>([
  [{ tracId: TRACE }, /there is no option 'tracId'/],
  [{ traceId: "0".repeat(32) }, /'traceId' must be 32/],
  [{ values: { tenant: "acme" } }, /'values' must be a list of pairs/],
])("rejects the options %j", (options, message) => {
  expect(() => inContext(options)).toThrow(message);
});

describe("a fake verifier", () => {
  afterEach(() => void vi.unstubAllEnvs());

  it("accepts fake tokens", async () => {
    const until = new Date(Date.now() + 60_000);
    const ada = testPrincipal({ subject: "ada", scopes: ["search"], expiresAt: until });
    expect(await fakeVerifier()(fakeToken(ada))).toEqual(ada);
    expect(await fakeVerifier()(fakeToken())).toEqual(testPrincipal());
  });

  it.each<[string, () => string]>([
    [
      "a changed one",
      () => fakeToken().replace(/\.[^.]+\./, `.${Buffer.from('{"subject":"eve"}').toString("base64url")}.`),
    ],
    ["one without a signature", () => fakeToken().split(".").slice(0, 2).join(".")],
    ["an expired one", () => fakeToken(testPrincipal({ expiresAt: new Date(1) }))],
    ["a JWT", () => "eyJhbGciOiJub25lIn0.e30."],
    ["nothing", () => ""],
  ])("rejects %s", async (_what, token) => {
    await expect(fakeVerifier()(token())).rejects.toMatchObject({ statusCode: 401 });
  });

  it("is refused in production, as is the injected principal", () => {
    vi.stubEnv("NODE_ENV", "production");
    expect(() => fakeVerifier()).toThrow('NODE_ENV is "production"');
    expect(() => injectTestPrincipal()).toThrow('NODE_ENV is "production"');
  });

  it("says in its names that it is none", () => {
    expect(testPrincipal()).toEqual({ subject: "test-subject", scopes: [], issuer: "https://test-issuer.invalid" });
    expect(fakeToken()).toMatch(/^fake-token-for-tests\./);
    expect(fakeVerifier().name).toBe("fakeVerifier");
  });

  it("works behind a bearer guard", async () => {
    const app = express();
    app.use(expressContext(), expressGuard(bearer(fakeVerifier())));
    app.get("/", (_req, res) => void res.end(principal()?.subject));
    app.use(errorHandler());
    expect((await request(app).get("/").auth(fakeToken(), { type: "bearer" })).text).toBe("test-subject");
    expect((await request(app).get("/")).status).toBe(401);
  });
});

describe("an injected principal", () => {
  const ada = injectTestPrincipal({ subject: "ada" });

  it("in Express", async () => {
    const app = express();
    app.use(expressContext(), expressGuard(ada));
    app.get("/", (_req, res) => void res.end(principal()?.subject));
    expect((await request(app).get("/")).text).toBe("ada");
  });

  it("in Koa", async () => {
    const app = new Koa();
    app.use(koaContext()).use(koaGuard(ada));
    app.use((koa) => void (koa.body = principal()?.subject));
    expect((await request(app.callback()).get("/")).text).toBe("ada");
  });

  it("in a fetch handler", async () => {
    const handler = fetchContext(fetchGuard(ada, () => new Response(principal()?.subject)));
    expect(await (await handler(new Request("http://x.internal"))).text()).toBe("ada");
  });
});
