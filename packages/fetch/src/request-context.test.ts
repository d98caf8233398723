import { background, type Context, current, run, withTimeout } from "@throughline/context";
import { ClientDisconnected, ResponseSent } from "@throughline/http";
import { expect, it } from "vitest";

import { createFetch } from "./create-fetch.ts";
import { requestContext } from "./request-context.ts";

const URL_ = "http://shop.example/items";

it("hands the handler all that the host passes", async () => {
  const handler = requestContext((_request: Request, env: { name: string }) => new Response(env.name));
  expect(await (await handler(new Request(URL_), { name: "env" })).text()).toBe("env");
});

it("ends the context when the body has been read, not when the handler returns", async () => {
  let ctx: Context = background;
  const handler = requestContext(() => {
    ctx = current();
    return new Response("body");
  });
  const response = await handler(new Request(URL_));

  expect(ctx.err()).toBeUndefined();
  await response.text();
  expect(ctx.cause()).toBeInstanceOf(ResponseSent);
});

it("ends the context when the reader gives the body up", async () => {
  let ctx: Context = background;
  const handler = requestContext(() => {
    ctx = current();
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1)) }));
  });
  await (await handler(new Request(URL_))).body!.cancel();

  expect(ctx.cause()).toBeInstanceOf(ClientDisconnected);
});

it("ends the context when the request's signal aborts, or had aborted before", async () => {
  const contexts: Context[] = [];
  const handler = requestContext(() => {
    contexts.push(current());
    return new Promise<Response>(() => {});
  });
  const controller = new AbortController();
  void handler(new Request(URL_, { signal: controller.signal }));
  controller.abort();
  void handler(new Request(URL_, { signal: AbortSignal.abort() }));

  expect(contexts.map((ctx) => ctx.cause())).toEqual([expect.any(ClientDisconnected), expect.any(ClientDisconnected)]);
});

it("keeps status, headers and a response without a body", async () => {
  const handler = requestContext(() => new Response(null, { status: 204, headers: { "x-a": "1" } }));
  const response = await handler(new Request(URL_));

  expect([response.status, response.headers.get("x-a"), response.body]).toEqual([204, "1", null]);
});

it("is what a createFetch of the same process calls, without a socket", async () => {
  const handler = requestContext(() => new Response(String(current().remaining() <= 900)));
  const fetch = createFetch({
    margin: 100,
    fetch: (input, init) => Promise.resolve(handler(new Request(input, init))),
  });

  expect(await (await run(withTimeout(background, "1s")[0], () => fetch(URL_))).text()).toBe("true");
});
