import type http from "node:http";

import { Canceled, current, DeadlineExceeded } from "@throughline/context";
import { requestContext } from "@throughline/express";
import { Forbidden, InvalidHeader, ServerDraining, ServerOverloaded, Unauthenticated } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import express from "express";
import express4 from "express4";
import Koa from "koa";
import Koa2 from "koa2";
import { describe, expect, it } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { cleanUpAfterEach, serve } from "../support/loopback.ts";

describe.each(hosts)("$name", (host) => {
  const { answer } = serveOn(host);

  describe("an error of the handler", () => {
    it.each<[string, unknown, number]>([
      ["a deadline", new DeadlineExceeded(), 504],
      ["a deadline in another error", new Error("query failed", { cause: new DeadlineExceeded() }), 504],
      ["a deadline among several errors", new AggregateError([new Error("a"), new DeadlineExceeded()]), 504],
      ["an overload", new ServerOverloaded(), 503],
      ["a missing authentication", new Unauthenticated(), 401],
    ])("that is %s is answered with a problem document", async (_what, error, status) => {
      const { reply } = await answer({}, {}, () => Promise.reject(error));

      expect(reply.status).toBe(status);
      expect(reply.headers["content-type"]).toMatch("application/problem+json");
      expect(reply.json()["status"]).toBe(status);
      if (status === 401) expect(reply.headers["www-authenticate"]).toBe("Bearer");
      if (status === 503) expect(reply.headers["retry-after"]).toMatch(/^[123]$/);
    });

    it.each([new Error("a bug"), new Canceled("the application's own"), "a string"])(
      "that is %s goes to the application's error handler",
      async (error) => {
        const { reply } = await answer({ "grpc-timeout": "2S" }, {}, () => Promise.reject(error));

        expect([reply.status, reply.body]).toEqual([500, "the application's own handler"]);
      },
    );

    it("is answered in plain text if the client asks for text", async () => {
      const refused = await answer({ accept: "text/html", "grpc-timeout": "0m" });
      const late = await answer({ accept: "text/plain", "grpc-timeout": "20m" }, {}, async () => {
        await sleep(current(), "10s");
        return "too late";
      });

      for (const { reply } of [refused, late]) {
        expect([reply.status, reply.body]).toEqual([504, "Deadline exceeded\n"]);
        expect(reply.headers["content-type"]).toMatch(/^text\/plain/);
      }
    });
  });
});

/** Error handlers without Throughline: those of the frameworks, and one that reads `statusCode`. */
const foreignHandlers: readonly [string, (fail: () => unknown) => http.RequestListener][] = [
  ["Express 5", (fail) => expressWith(express, fail)],
  ["Express 4", (fail) => expressWith(express4 as typeof express, fail)],
  ["Koa 3", (fail) => koaWith(Koa, fail)],
  ["Koa 2", (fail) => koaWith(Koa2 as typeof Koa, fail)],
  [
    "a host that reads statusCode",
    (fail) => async (_req, res) => {
      try {
        await fail();
      } catch (error) {
        const { statusCode = 500, headers = {} } = error as { statusCode?: number; headers?: Record<string, string> };
        res.writeHead(statusCode, headers).end();
      }
    },
  ],
];

function expressWith(framework: typeof express, fail: () => unknown): http.RequestListener {
  const app = framework().set("env", "test");
  app.use(requestContext());
  app.get("/", fail);
  return app;
}

function koaWith(Framework: typeof Koa, fail: () => unknown): http.RequestListener {
  const app = new Framework();
  app.silent = true;
  return app.use(async () => void (await fail())).callback();
}

describe.each(foreignHandlers)("%s without Throughline's error handler", (_name, listenerOf) => {
  cleanUpAfterEach();

  it.each<[number, Error, Record<string, string | RegExp>]>([
    [504, new DeadlineExceeded(), {}],
    [401, new Unauthenticated(), { "www-authenticate": "Bearer" }],
    [403, new Forbidden("no", { challenge: 'Bearer error="insufficient_scope"' }), { "www-authenticate": /scope/ }],
    [503, new ServerOverloaded(), { "retry-after": /^[123]$/ }],
    [503, new ServerDraining(), { "retry-after": "0" }],
    [400, new InvalidHeader("txn-token"), {}],
  ])("answers %i to %s", async (status, error, expected) => {
    const { url } = await serve(listenerOf(() => Promise.reject(error)));
    const response = await fetch(url);
    await response.text();

    expect(response.status).toBe(status);
    for (const [name, value] of Object.entries(expected)) expect(response.headers.get(name)).toMatch(value);
  });
});
