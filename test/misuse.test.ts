import * as onExpress from "@throughline/express";
import * as onFetch from "@throughline/fetch";
import * as onHttp from "@throughline/http";
import * as onKoa from "@throughline/koa";
import { fanOut, group, hedge, retry, Semaphore, sleep } from "@throughline/resilience";
import express from "express";
import Koa from "koa";
import request from "supertest";
import { describe, expect, it } from "vitest";

/** A function without type checks. */
type Loose = (...args: unknown[]) => unknown;

const loose = (fn: unknown): Loose => fn as Loose;

describe("misplaced middleware fails with an error that names the right one", () => {
  it.each<[string, unknown, RegExp]>([
    [
      "an uncalled requestContext",
      onExpress.requestContext,
      /it takes an object of options; .*app\.use\(requestContext\(\)\)/,
    ],
    [
      "Koa's uncalled requestContext",
      onKoa.requestContext,
      /it takes an object of options; .*app\.use\(requestContext\(\)\)/,
    ],
    [
      "Koa middleware",
      onKoa.requestContext(),
      /this is Koa middleware, called as \(ctx, next\); for Express it is in @throughline\/express/,
    ],
    [
      "requestContext of node:http",
      onHttp.requestContext,
      /'listener' must be a function; .*for Express is in @throughline\/express/,
    ],
    [
      "requestContext of fetch handlers",
      onFetch.requestContext,
      /'handler' must be a function; .*call requestContext\(handler, options\)/,
    ],
  ])("in Express: %s", async (_what, middleware, message) => {
    const app = express();
    let failed: unknown;
    app.use(middleware as express.RequestHandler);
    app.use(((error, _req, res, _next) => ((failed = error), res.end())) as express.ErrorRequestHandler);
    await request(app).get("/");

    expect(failed).toBeInstanceOf(TypeError);
    expect((failed as Error).message).toMatch(message);
  });

  it.each<[string, unknown, RegExp]>([
    [
      "an uncalled requestContext",
      onKoa.requestContext,
      /it takes an object of options; .*app\.use\(requestContext\(\)\)/,
    ],
    [
      "Express's uncalled requestContext",
      onExpress.requestContext,
      /it takes an object of options; .*app\.use\(requestContext\(\)\)/,
    ],
    [
      "Express middleware",
      onExpress.requestContext(),
      /this is Express middleware, called as \(req, res, next\); for Koa it is in @throughline\/koa/,
    ],
    [
      "requestContext of node:http",
      onHttp.requestContext,
      /'listener' must be a function; .*that for Koa in @throughline\/koa/,
    ],
    [
      "requestContext of fetch handlers",
      onFetch.requestContext,
      /'handler' must be a function; .*call requestContext\(handler, options\)/,
    ],
  ])("in Koa: %s", async (_what, middleware, message) => {
    const app = new Koa();
    app.silent = true;
    let failed: unknown;
    app.on("error", (error) => (failed = error)).use(middleware as Koa.Middleware);
    await request(app.callback()).get("/");

    expect(failed).toBeInstanceOf(TypeError);
    expect((failed as Error).message).toMatch(message);
  });
});

const CONTEXT = /it needs a Context as its first argument, such as current\(\) or background; received /;

describe("a call without its first argument fails with a TypeError that names the argument", () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      "http's requestContext({})",
      () => loose(onHttp.requestContext)({}),
      /'listener' must be a function; received an object.*; call requestContext\(listener, options\)/,
    ],
    [
      "fetch's requestContext({})",
      () => loose(onFetch.requestContext)({}),
      /'handler' must be a function; received an object.*; call requestContext\(handler, options\)/,
    ],
    [
      "streamContext({})",
      () => loose(onHttp.streamContext)({}),
      /'listener' must be a function; received an object.*; call streamContext\(listener, options\)/,
    ],
    ['sleep("5s")', () => loose(sleep)("5s"), new RegExp(`Cannot sleep: ${CONTEXT.source}string "5s"`)],
    ["retry(fn)", () => loose(retry)(() => {}), new RegExp(`Cannot retry: ${CONTEXT.source}function`)],
    ["hedge(fn)", () => loose(hedge)(() => {}), new RegExp(`Cannot hedge: ${CONTEXT.source}function`)],
    ["fanOut([1])", () => loose(fanOut)([1], () => {}), new RegExp(`Cannot fan out: ${CONTEXT.source}.*Array`)],
    ["group()", () => loose(group)(), new RegExp(`Cannot make a group: ${CONTEXT.source}undefined`)],
    [
      "group({ limit: 3 })",
      () => loose(group)({ limit: 3 }),
      new RegExp(`Cannot make a group: ${CONTEXT.source}an object`),
    ],
    [
      "semaphore.acquire()",
      () => (new Semaphore(1) as unknown as Record<"acquire", Loose>).acquire(),
      new RegExp(`Cannot acquire a semaphore: ${CONTEXT.source}undefined`),
    ],
  ])("%s", async (_call, call, message) => {
    // Asynchronous functions reject instead of throwing.
    const failed: unknown = await (async () => call())().catch((error: unknown) => error);

    expect(failed).toBeInstanceOf(TypeError);
    expect((failed as Error).message).toMatch(message);
  });
});
