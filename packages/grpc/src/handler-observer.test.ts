import { EventEmitter, once } from "node:events";

import { Server } from "@grpc/grpc-js";
import { background, current, run, withCancel, withTimeout } from "@throughline/context";
import { serverRequestIn } from "@throughline/http/adapter";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { clientOf, type EchoCalls, type Handlers, serveEcho } from "./echo.fixture.ts";
import type { ServerCall } from "./server-call.ts";

const KINDS: readonly [string, (client: EchoCalls) => Promise<unknown>][] = [
  ["a unary call", (client) => client.unary("question")],
  ["a stream from the server", (client) => client.serverStream("question")],
  ["a stream from the client", (client) => client.clientStream(["one", "two"])],
  ["streams both ways", (client) => client.bidi(["one", "two"])],
];

function handlersOf(handler: () => Promise<void>): Handlers {
  return { Unary: handler, ServerStream: handler, ClientStream: handler, Bidi: handler };
}

describe("a handler that rejects", () => {
  const unhandled = vi.fn();
  let listeners: NodeJS.UnhandledRejectionListener[];
  beforeEach(() => {
    unhandled.mockClear();
    listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", unhandled);
  });
  afterEach(() => {
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
  });

  it.each(KINDS)("after its deadline does not end the process: %s", async (_kind, call) => {
    const late = new EventEmitter();
    const handlers = handlersOf(async () => {
      await once(late, "reject");
      throw new Error("too late");
    });
    await using served = await serveEcho(handlers, { maxTimeout: 50 });
    using client = clientOf(served.address);
    await expect(call(client)).rejects.toMatchObject({ code: 4 });
    late.emit("reject");
    await new Promise(setImmediate);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it.each(KINDS)("after its client has disconnected does not end the process: %s", async (_kind, call) => {
    const ran = Promise.withResolvers<void>();
    const rejected = Promise.withResolvers<void>();
    const handlers = handlersOf(async () => {
      const ctx = current();
      ran.resolve();
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      setImmediate(rejected.resolve);
      ctx.throwIfAborted();
    });
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    const [ctx, cancel] = withCancel(background);
    const left = run(ctx, () => call(client)).catch((error: unknown) => error);
    await ran.promise;
    cancel();
    expect(await left).toMatchObject({ code: 1 });
    await rejected.promise;
    await new Promise(setImmediate);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it.each(KINDS)("with an error of this library is answered with its status: %s", async (_kind, call) => {
    const handlers = handlersOf(async () => {
      const [ctx] = withTimeout(current(), 20);
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      ctx.throwIfAborted();
    });
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    await expect(call(client)).rejects.toMatchObject({ code: 4, details: "Deadline exceeded: budget 20 ms" });
    expect(unhandled).not.toHaveBeenCalled();
  });

  it.each(KINDS)(
    "with an error of the application is answered, and reported as an unhandled rejection: %s",
    async (_kind, call) => {
      const bug = new TypeError("a bug");
      await using served = await serveEcho(handlersOf(() => Promise.reject(bug)));
      using client = clientOf(served.address);
      await expect(call(client)).rejects.toMatchObject({ code: 2, details: "Unknown error" });
      expect(unhandled).toHaveBeenCalledExactlyOnceWith(bug, expect.any(Promise));
    },
  );

  it("is answered when an instrumentation drops its promise", async () => {
    const register = Server.prototype.register;
    Server.prototype.register = function instrumented(this: Server, ...args: Parameters<typeof register>) {
      const isNew = register.apply(this, args);
      const { handlers } = this as unknown as { handlers: Map<string, { func: (...args: unknown[]) => unknown }> };
      const handler = handlers.get(args[0])!;
      const { func } = handler;
      handler.func = (...given) => void func(...given);
      return isNew;
    } as typeof register;
    await using served = await serveEcho({ Unary: () => Promise.reject(withTimeout(background, 0)[0].err()) });
    Server.prototype.register = register;
    using client = clientOf(served.address);
    await expect(client.unary("question")).rejects.toMatchObject({ code: 4 });
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("a server without the interceptor", () => {
  it("calls its handlers without a Context of their own", async () => {
    const seen: unknown[] = [];
    await using served = await serveEcho(
      { Unary: (_call, callback) => (seen.push(serverRequestIn(current())), callback(null, "answer")) },
      null,
    );
    using client = clientOf(served.address);
    expect(await client.unary("question")).toBe("answer");
    expect(seen).toEqual([undefined]);
  });
});

describe("a handler that goes on after its call", () => {
  const BUSY = { code: 14 };

  it.each(KINDS)("counts against the concurrency until its promise settles: %s", async (_kind, call) => {
    const go = Promise.withResolvers<void>();
    const options = { maxTimeout: 50, admission: { concurrency: 1, queue: 0 } };
    await using served = await serveEcho(
      handlersOf(() => go.promise),
      options,
    );
    using client = clientOf(served.address);
    await expect(call(client)).rejects.toMatchObject({ code: 4 });
    await expect(call(client)).rejects.toMatchObject(BUSY);
    go.resolve();
    await new Promise(setImmediate);
    await expect(call(client)).rejects.toMatchObject({ code: 4 });
  });

  it("counts against the concurrency until it calls back", async () => {
    const late = new EventEmitter();
    const options = { maxTimeout: 50, admission: { concurrency: 1, queue: 0 } };
    await using served = await serveEcho(
      { Unary: (_call, callback) => void late.once("answer", () => callback(null, "late")) },
      options,
    );
    using client = clientOf(served.address);
    await expect(client.unary("one")).rejects.toMatchObject({ code: 4 });
    await expect(client.unary("two")).rejects.toMatchObject(BUSY);
    late.emit("answer");
    await new Promise(setImmediate);
    await expect(client.unary("three")).rejects.toMatchObject({ code: 4 });
  });
});

describe("onceHandled resolves", () => {
  /** Makes a call, and checks its ServerCall once the handler runs. */
  async function checkServerCall(
    handlers: (report: (call: ServerCall) => void) => Handlers,
    call: (client: EchoCalls) => Promise<unknown>,
    check: (call: ServerCall, cancel: () => void) => Promise<void>,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<ServerCall>();
    await using server = await serveEcho(handlers(resolve));
    using client = clientOf(server.address);
    const [ctx, cancel] = withCancel(background);
    const over = run(ctx, () => call(client)).catch(() => {});
    await check(await promise, () => cancel());
    await over;
  }

  const here = (): ServerCall => serverRequestIn(current())!.response as ServerCall;

  /** Cancels the call, and waits until the server has noticed. */
  async function cancelCall(ctx: ReturnType<typeof current>, cancel: () => void): Promise<void> {
    cancel();
    await vi.waitUntil(() => ctx.err() !== undefined);
  }

  it("when a handler calls back, also after its client has disconnected", async () => {
    const go = Promise.withResolvers<void>();
    let ctx = background;
    await checkServerCall(
      (report) => ({
        Unary: (_call, callback) => {
          ctx = current();
          report(here());
          void go.promise.then(() => callback(null, "answer"));
        },
      }),
      (client) => client.unary("question"),
      async (call, cancel) => {
        await cancelCall(ctx, cancel);
        const handled = call.onceHandled();
        expect(await Promise.race([handled, "pending"])).toBe("pending");
        go.resolve();
        await handled;
        expect(call.onceHandled()).toBeUndefined();
      },
    );
  });

  it.each(KINDS)(
    "when the promise of an async handler settles, also after its client has disconnected: %s",
    async (_kind, call) => {
      const go = Promise.withResolvers<void>();
      let ctx = background;
      await checkServerCall(
        (report) =>
          handlersOf(async () => {
            ctx = current();
            report(here());
            await go.promise;
          }),
        call,
        async (call, cancel) => {
          await cancelCall(ctx, cancel);
          const handled = call.onceHandled();
          expect(await Promise.race([handled, "pending"])).toBe("pending");
          go.resolve();
          await handled;
          expect(call.onceHandled()).toBeUndefined();
        },
      );
    },
  );

  it("when the stream of a handler ends, or is destroyed because its client disconnected", async () => {
    for (const ends of [true, false]) {
      let ctx = background;
      const go = Promise.withResolvers<void>();
      await checkServerCall(
        (report) => ({
          ServerStream: (call) => {
            ctx = current();
            report(here());
            if (ends) void go.promise.then(() => call.end());
          },
        }),
        (client) => client.serverStream("question"),
        async (call, cancel) => {
          const handled = call.onceHandled();
          expect(await Promise.race([handled, "pending"])).toBe("pending");
          if (ends) go.resolve();
          else await cancelCall(ctx, cancel);
          await handled;
        },
      );
    }
  });

  it("when the callback of a handler whose client disconnected is garbage collected", async () => {
    const collected = Promise.withResolvers<void>();
    await using server = await serveEcho({
      Unary: (call) => {
        const served = new WeakRef(here());
        // Many handlers do not call back once the client has disconnected.
        call.once("cancelled", () => setImmediate(() => void served.deref()!.onceHandled()!.then(collected.resolve)));
        ran.resolve();
      },
    });
    const ran = Promise.withResolvers<void>();
    using client = clientOf(server.address);
    const [ctx, cancel] = withCancel(background);
    const failed = run(ctx, () => client.unary("question")).catch(() => {});
    await ran.promise;
    cancel();
    await failed;
    const collecting = setInterval(() => globalThis.gc!(), 20);
    await collected.promise;
    clearInterval(collecting);
  });
});
