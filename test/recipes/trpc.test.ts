import type { RequestListener } from "node:http";

import { getRequestListener } from "@hono/node-server";
import { background, current, run, withTimeout } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { createFetch, requestContext as fetchContext } from "@throughline/fetch";
import type { ServerOptions } from "@throughline/http";
import { createTRPCClient, httpBatchLink, httpLink } from "@trpc/client";
import { createExpressMiddleware } from "@trpc/server/adapters/express";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import express from "express";
import { describe, expect, it } from "vitest";

import { procedure, trpc, trpcListener } from "../../examples/recipes/trpc.ts";
import { expectEndAtDisconnect, waitForever } from "./leaving-client.ts";
import { serve } from "./serve.ts";

const router = trpc.router({
  fast: procedure.query(() => "fast"),
  left: procedure.query(() => Math.ceil(current().remaining())),
  bug: procedure.query(() => Promise.reject(new Error("a bug"))),
  stuck: procedure.query(() => new Promise<string>(() => {})),
  slow: procedure.query(waitForever),
});

const adapters: Record<string, (options: ServerOptions) => RequestListener> = {
  standalone: (options) => trpcListener(router, options),
  Express(options) {
    const app = express();
    app.use(requestContext(options), createExpressMiddleware({ router }), errorHandler());
    return app;
  },
  fetch: (options) =>
    getRequestListener(
      fetchContext((req) => fetchRequestHandler({ endpoint: "/", req, router }), options),
      { overrideGlobalObjects: false },
    ),
};

describe.each(Object.entries(adapters))("tRPC, %s adapter", (_name, listener) => {
  it("procedures have the deadline of a client that runs with a Context", async () => {
    const url = await serve(listener({}));
    const contextFetch = createFetch();
    const client = createTRPCClient<typeof router>({
      links: [httpLink({ url, fetch: (input, init) => contextFetch(input, init as RequestInit) })],
    });
    const [ctx, cancel] = withTimeout(background, "2s");
    const left = await run(ctx, () => client.left.query());
    cancel();
    expect(left).toBeGreaterThan(1000);
    expect(left).toBeLessThanOrEqual(1950);
    expect(await client.left.query()).toBeNull(); // JSON has no Infinity
  });

  it("a late procedure is answered with GATEWAY_TIMEOUT, beside the others of its batch", async () => {
    const url = await serve(listener({ maxTimeout: 500 }));
    const response = await fetch(`${url}fast,slow,bug?batch=1`);
    expect(response.status).toBe(207);
    expect(await response.json()).toMatchObject([
      { result: { data: "fast" } },
      { error: { message: "Deadline exceeded", data: { code: "GATEWAY_TIMEOUT", httpStatus: 504 } } },
      { error: { message: "a bug", data: { code: "INTERNAL_SERVER_ERROR" } } },
    ]);
  });

  it("a request whose procedure ignores its context is answered 504", async () => {
    const url = await serve(listener({ maxTimeout: 80 }));
    const response = await fetch(`${url}stuck`);
    expect(response.status).toBe(504);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    await response.body?.cancel();
    const client = createTRPCClient<typeof router>({ links: [httpLink({ url })] });
    await expect(client.stuck.query()).rejects.toThrow("Unable to transform response from server");
  });

  it("a client that leaves ends the context of its procedure", async () => {
    await expectEndAtDisconnect(`${await serve(listener({}))}slow`);
  });
});

it("httpBatchLink sends the calls of two contexts as one request, with the deadline of the first", async () => {
  const url = await serve(trpcListener(router));
  const contextFetch = createFetch();
  const client = createTRPCClient<typeof router>({
    links: [httpBatchLink({ url, fetch: (input, init) => contextFetch(input, init as RequestInit) })],
  });
  const contexts = (["5s", "50s"] as const).map((timeout) => withTimeout(background, timeout));
  const lefts = await Promise.all(contexts.map(([ctx]) => run(ctx, () => client.left.query())));
  for (const [, cancel] of contexts) cancel();
  for (const left of lefts) expect(left).toBeLessThanOrEqual(5000);
});
