import type { RequestListener } from "node:http";

import { current, withTimeout } from "@throughline/context";
import type { ServerOptions } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { H3 } from "h3";
import { toNodeHandler } from "h3/node";
import { createApp, createRouter, eventHandler, toNodeListener } from "h3v1";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { contextMiddleware } from "../../examples/recipes/h3.ts";
import { withRequestContext } from "../../examples/recipes/h3v1.ts";
import { expectEndAtDisconnect, waitForever } from "./leaving-client.ts";
import { serve } from "./serve.ts";

// h3 1 logs the errors that it answers with 500.
beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const handlers: Record<string, () => unknown> = {
  "/left": () => ({ left: current().remaining() }),
  "/bug": () => Promise.reject(new Error("a bug")),
  "/stuck": () => new Promise(() => {}),
  "/own": () => sleep(withTimeout(current(), 10)[0], "1h"),
  "/slow": waitForever,
};

const versions: Record<string, (options: ServerOptions) => RequestListener> = {
  "2"(options) {
    const app = new H3({ silent: true });
    app.use(contextMiddleware(options));
    for (const [path, handler] of Object.entries(handlers)) app.get(path, handler);
    return toNodeHandler(app) as RequestListener;
  },
  "1"(options) {
    const router = createRouter();
    for (const [path, handler] of Object.entries(handlers)) router.get(path, eventHandler(handler));
    const app = createApp({ onError: () => {} }).use(router);
    withRequestContext(app, options);
    return toNodeListener(app);
  },
};

describe.each(Object.entries(versions))("h3 %s", (_version, listener) => {
  it("handlers have the deadline of the caller", async () => {
    const url = await serve(listener({}));
    const response = await fetch(`${url}left`, { headers: { "grpc-timeout": "2S" } });
    const { left } = (await response.json()) as { left: number };
    expect(left).toBeGreaterThan(1000);
    expect(left).toBeLessThanOrEqual(2000);
  });

  it.each([
    ["answers a deadline that passes in a handler with 504", "own", 504],
    ["answers in place of a handler that does not", "stuck", 504],
    ["leaves other errors to h3", "bug", 500],
    ["leaves unknown paths to h3", "unknown", 404],
  ])("%s", async (_what, path, status) => {
    const url = await serve(listener({ maxTimeout: 200 }));
    const response = await fetch(url + path);
    expect(response.status).toBe(status);
    await response.body?.cancel();
  });

  it("a client that leaves ends the context of its handler", async () => {
    await expectEndAtDisconnect(`${await serve(listener({}))}slow`);
  });
});
