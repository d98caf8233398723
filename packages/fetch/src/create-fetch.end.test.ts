import { getEventListeners } from "node:events";

import { background, DeadlineExceeded, run, withCancel, withTimeout } from "@throughline/context";
import { cleanUpAfterEach, echo, serve, silentServer } from "@throughline/test/support/loopback.ts";
import { fetch as undiciFetch } from "undici";
import { describe, expect, it, vi } from "vitest";

import { createFetch } from "./create-fetch.ts";

const fetch = createFetch();
cleanUpAfterEach();

describe("a context that ends", () => {
  it("prevents the call from connecting if it has already ended", async () => {
    const { url, server } = await serve(echo);
    const [ctx, cancel] = withCancel(background);
    cancel();
    const connected = vi.fn();
    server.on("connection", connected);

    await expect(run(ctx, () => fetch(url))).rejects.toBe(ctx.err());
    expect(connected).not.toHaveBeenCalled();
  });

  it("prevents the call from connecting if less than a millisecond is left", async () => {
    const { url, server } = await serve(echo);
    const connected = vi.fn();
    server.on("connection", connected);
    const [ctx] = withTimeout(background, 40);

    const error = await run(ctx, () => createFetch({ margin: 40 })(url)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect((error as Error).message).toMatch(/ms left, less a margin of 40 ms, are too little to call/);
    expect(connected).not.toHaveBeenCalled();
  });

  it("rejects the call with its own error object while it connects", async () => {
    const url = await silentServer();
    const [ctx] = withTimeout(background, 30);

    const error = await run(ctx, () => fetch(url)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect(error).toBe(ctx.err());
  });

  it("rejects the call with its own error object while it waits, and closes the connection to the server", async () => {
    const left = Promise.withResolvers<void>();
    const { url } = await serve((_req, res) => res.once("close", left.resolve));
    const [ctx, cancel] = withCancel(background);
    const call = run(ctx, () => fetch(url)).catch((error: unknown) => error);
    setTimeout(() => cancel(new Error("enough")), 20);

    expect(await call).toBe(ctx.err());
    await left.promise;
  });

  it("rejects the body with its own error object while it is read", async () => {
    const { url } = await serve((_req, res) => void res.write("begin"));
    const [ctx, cancel] = withCancel(background);
    const response = await run(ctx, () => fetch(url));
    setTimeout(cancel, 20);

    const error = await response.text().catch((e: unknown) => e);
    expect(error).toBe(ctx.err());
  });
});

describe("the caller's own signal", () => {
  it("rejects the call with its own reason", async () => {
    const { url } = await serve(() => {});
    const controller = new AbortController();
    const reason = new Error("mine");
    setTimeout(() => controller.abort(reason), 20);

    await expect(fetch(url, { signal: controller.signal })).rejects.toBe(reason);
  });

  it("has no listener after the call has failed", async () => {
    const { url } = await serve(() => {});
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, "addEventListener");
    const remove = vi.spyOn(signal, "removeEventListener");
    const [ctx, cancel] = withCancel(background);
    const call = fetch(url, { ctx, signal }).catch((error: unknown) => error);
    cancel();

    expect(await call).toBe(ctx.err());
    expect(add).toHaveBeenCalledOnce();
    expect(remove).toHaveBeenCalledWith("abort", add.mock.calls[0]![1]);
  });

  it("has no listener once the bodies have been read, as with undici's fetch", async () => {
    const { url } = await serve(echo);
    const send = undiciFetch as unknown as typeof globalThis.fetch;
    const listeners: number[] = [];
    for (const each of [send, createFetch({ fetch: send })]) {
      const { signal } = new AbortController();
      const [ctx] = withCancel(background);
      for (let times = 0; times < 20; times += 1) await (await run(ctx, () => each(url, { signal }))).text();
      await new Promise((resolve) => setTimeout(resolve, 20));
      listeners.push(getEventListeners(signal, "abort").length);
    }

    expect(listeners).toEqual([0, 0]);
  });

  it("has no listener once the responses are collected, as with Node's fetch", { timeout: 30_000 }, async () => {
    const { url } = await serve(echo);
    const { signal } = new AbortController();
    const [ctx] = withCancel(background);
    for (let times = 0; times < 20; times += 1) await (await fetch(url, { ctx, signal })).text();

    await vi.waitUntil(() => (globalThis.gc!(), getEventListeners(signal, "abort").length === 0), {
      timeout: 20_000,
    });
  });
});

describe("an unread body", () => {
  it("ends with the context, and leaves no listener on the caller's signal", async () => {
    const { url } = await serve((_req, res) => void res.writeHead(500).write("details"));
    const { signal } = new AbortController();
    const [ctx, cancel] = withCancel(background);
    const response = await run(ctx, () => fetch(url, { signal }));
    cancel();
    await null;
    await null;

    expect(response.status).toBe(500);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("ends when it is collected", { timeout: 30_000 }, async () => {
    const { url, server } = await serve((_req, res) => void res.writeHead(500).end("x".repeat(100_000)));
    const { signal } = new AbortController();
    for (let i = 0; i < 20; i++) expect((await fetch(url, { signal })).status).toBe(500);
    await vi.waitUntil(() => (globalThis.gc!(), getEventListeners(signal, "abort").length === 0), { timeout: 20_000 });
    const connections = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    await vi.waitUntil(async () => (await connections()) <= 1, { timeout: 10_000 });
  });
});
