import type http from "node:http";

import { getRequestListener } from "@hono/node-server";
import { type Context, current, withoutCancel, withTimeout } from "@throughline/context";
import { errorHandler, guard as expressGuard, requestContext as expressContext } from "@throughline/express";
import { guard as fetchGuard, requestContext as fetchContext } from "@throughline/fetch";
import type { Guard } from "@throughline/http";
import { bearer, jwtVerifier, principal, requireScope } from "@throughline/identity";
import { guard as koaGuard, requestContext as koaContext } from "@throughline/koa";
import express from "express";
import { SignJWT } from "jose";
import Koa from "koa";
import { describe, expect, it, vi } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { send } from "../support/http-client.ts";
import { cleanUpAfterEach, serve } from "../support/loopback.ts";

const SECRET = new TextEncoder().encode("a secret of thirty-two bytes or more");
const authenticated = bearer(jwtVerifier({ issuer: "shop", audience: "shop", algorithms: ["HS256"], keys: SECRET }));
const authorized = requireScope("inventory:read", "search");
const who = (): string => `${principal()?.subject}: ${current().remaining() <= 5000}`;

/** The same service on each host; its guards authenticate and authorize the request. */
const services: readonly [string, () => http.RequestListener][] = [
  [
    "Express",
    () => {
      const app = express();
      app.use(expressContext({ maxTimeout: "5s" }), expressGuard(authenticated));
      app.get("/", expressGuard(authorized), (_req, res) => void res.end(who()));
      app.use(errorHandler());
      return app;
    },
  ],
  [
    "Koa",
    () => {
      const app = new Koa();
      app
        .use(koaContext({ maxTimeout: "5s" }))
        .use(koaGuard(authenticated))
        .use(koaGuard(authorized));
      app.use((koa) => void (koa.body = who()));
      return app.callback();
    },
  ],
  [
    "a fetch handler",
    () => {
      const handler = fetchGuard(
        authenticated,
        fetchGuard(authorized, () => new Response(who())),
      );
      return getRequestListener(
        fetchContext((request) => handler(request), { maxTimeout: "5s" }),
        {
          overrideGlobalObjects: false,
        },
      );
    },
  ],
];

describe.each(services)("on %s", (_name, listener) => {
  cleanUpAfterEach();

  async function ask(authorization?: string): Promise<Response> {
    const { url } = await serve(listener());
    const headers = authorization === undefined ? {} : { authorization };
    return fetch(url, { headers });
  }

  const token = (scope: string, key = SECRET): Promise<string> =>
    new SignJWT({ scope, sub: "ada", iss: "shop", aud: "shop" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1m")
      .sign(key);

  it("an authorized request passes and keeps its deadline", async () => {
    const response = await ask(`Bearer ${await token("search inventory:read more")}`);
    expect([response.status, await response.text()]).toEqual([200, "ada: true"]);
  });

  it.each<[string, () => Promise<string | undefined>, number, string, string]>([
    ["a request without credentials", async () => undefined, 401, "Bearer", "Unauthenticated"],
    [
      "a request with another scheme",
      async () => "Basic YTpi",
      401,
      'Bearer error="invalid_request"',
      "Unauthenticated",
    ],
    [
      "a request with an invalid token",
      async () => `Bearer ${await token("search", new TextEncoder().encode("another secret of thirty-two bytes"))}`,
      401,
      'Bearer error="invalid_token"',
      "Unauthenticated",
    ],
    [
      "a request without the scope",
      async () => `bearer ${await token("search")}`,
      403,
      'Bearer error="insufficient_scope", scope="inventory:read search"',
      "Forbidden",
    ],
  ])("%s is answered with the reason and a challenge", async (_who, authorization, status, challenge, title) => {
    const response = await ask(await authorization());
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([status, challenge]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ title, status });
  });
});

describe.each(hosts.filter(({ hasGuards }) => hasGuards))("on $name", (host) => {
  const { servingWith } = serveOn(host);

  /** A service behind a slow guard that ignores its context. */
  async function behindSlowGuard() {
    const [deciding, decision, decided] = [
      Promise.withResolvers<Context>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    let count = 0;
    const errors: unknown[] = [];
    const url = await servingWith(() => `${(count += 1)}`, {
      guard: async ({ ctx }) => {
        deciding.resolve(ctx);
        await decision.promise;
        decided.resolve();
        // A guard may return a context that does not end with the request.
        return withoutCancel(ctx);
      },
      onError: (error) => void errors.push(error),
    });
    async function decide(): Promise<void> {
      decision.resolve();
      await decided.promise;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { url, errors, deciding: deciding.promise, decide, count: () => count };
  }

  it("a handler does not run if the deadline passes in a guard", async () => {
    const { url, errors, decide, count } = await behindSlowGuard();
    const { status } = await send(host.protocol, url, { "grpc-timeout": "30m" }).reply;
    await decide();

    expect([status, count(), errors]).toEqual([504, 0, []]);
  });

  it("a handler does not run if the client disconnects during a guard", async () => {
    const { url, errors, deciding, decide, count } = await behindSlowGuard();
    const sent = send(host.protocol, url);
    sent.reply.catch(() => {});
    const ctx = await deciding;
    sent.leave();
    await vi.waitUntil(() => ctx.err());
    await decide();

    expect([count(), errors]).toEqual([0, []]);
  });

  it("a handler does not run if a guard returns a context that has ended", async () => {
    let count = 0;
    const guard: Guard = ({ ctx }) => {
      const [within, cancel] = withTimeout(ctx, "1h");
      cancel();
      return within;
    };
    const url = await servingWith(() => `${(count += 1)}`, { guard });

    expect((await send(host.protocol, url).reply).status).toBe(500);
    expect(count).toBe(0);
  });

  it.each<[unknown, RegExp]>([
    [false, /received boolean false$/],
    [null, /received null$/],
    [true, /received boolean true$/],
    ["yes", /received string "yes"$/],
    [{ subject: "ada" }, /received an object of type Object$/],
  ])("a guard that returns %j fails closed with an application error", async (answer, message) => {
    let count = 0;
    const errors: unknown[] = [];
    const url = await servingWith(() => `${(count += 1)}`, {
      guard: (() => answer) as unknown as Guard,
      onError: (error) => void errors.push(error),
    });

    expect((await send(host.protocol, url).reply).status).toBe(500);
    expect([count, errors]).toEqual([0, [expect.any(TypeError)]]);
    expect(String(errors[0])).toMatch(/Cannot pass a guard: it must return a Context or undefined, or throw/);
    expect(String(errors[0])).toMatch(message);
  });
});

it.each([[], [""], ["two words"], [7]])("requireScope throws for invalid scopes: %j", (...scopes) => {
  expect(() => requireScope(...(scopes as string[]))).toThrow(/it needs scopes/);
});
