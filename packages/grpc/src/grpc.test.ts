import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

import { Metadata, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import {
  background,
  type Context,
  createKey,
  current,
  DeadlineExceeded,
  run,
  withCancel,
  withTimeout,
  withValue,
} from "@throughline/context";
import {
  ClientDisconnected,
  type DeadlineDialect,
  propagateValue,
  type Guard,
  textCodec,
  Unauthenticated,
  criticality,
  withCriticality,
} from "@throughline/http";
import { propagateIdentity } from "@throughline/http/adapter";
import { describe, expect, it, vi } from "vitest";

import { clientOf, type EchoCalls, type Handlers, serveEcho } from "./echo.fixture.ts";
import { recordingHandlers } from "./recording-handlers.fixture.ts";

const KINDS: readonly [string, (client: EchoCalls) => Promise<unknown>][] = [
  ["a unary call", (client) => client.unary("question")],
  ["a stream from the server", (client) => client.serverStream("question")],
  ["a stream from the client", (client) => client.clientStream(["one", "two"])],
  ["streams both ways", (client) => client.bidi(["one", "two"])],
];

describe.each(KINDS)("%s", (_kind, call) => {
  it("has the remaining time of the caller, less the margin and the network time", async () => {
    const { handlers, seen } = recordingHandlers();
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    const [ctx, cancel] = withTimeout(background, 2000);
    using _ = cancel;
    await run(ctx, () => call(client));
    const { remaining } = await seen;
    expect(remaining).toBeLessThan(2000);
    expect(remaining).toBeGreaterThan(1700);
  });

  it("has no deadline if the caller has none, and still ends", async () => {
    const { handlers, seen } = recordingHandlers();
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    await call(client);
    const { remaining, ended } = await seen;
    expect(remaining).toBe(Infinity);
    expect(await ended).toMatchObject({ name: "ResponseSent" });
  });

  it("ends at once on both sides when the caller cancels, with the context's own error on the client", async () => {
    const { handlers, seen } = recordingHandlers(true);
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    const [ctx, cancel] = withCancel(background);
    const failed = run(ctx, () => call(client)).catch((error: unknown) => error);
    const { ended } = await seen;
    cancel(new Error("no longer wanted"));
    expect(await failed).toMatchObject({ code: 1, cause: ctx.err() });
    expect(await ended).toBeInstanceOf(ClientDisconnected);
  });

  it("ends at the deadline on both sides, with code 4 and the context's own error", async () => {
    const { handlers, seen } = recordingHandlers(true);
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    const [ctx, cancel] = withTimeout(background, 150);
    using _ = cancel;
    const failed = (await run(ctx, () => call(client)).catch((error: unknown) => error)) as Error;
    expect(failed).toMatchObject({ code: 4 });
    expect(failed.cause).toBe(ctx.err());
    expect(failed.cause).toBeInstanceOf(DeadlineExceeded);
    const seenThere = await seen;
    await seenThere.ended;
    expect(seenThere.ctx.err()).toBeDefined();
  });

  it("is not sent if its context has ended or less than a millisecond is left", async () => {
    const handler = vi.fn();
    const handlers = { Unary: handler, ServerStream: handler, ClientStream: handler, Bidi: handler };
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    const [ended, cancel] = withCancel(background);
    cancel();
    for (const ctx of [ended, withTimeout(background, 0)[0], withTimeout(background, 1)[0]]) {
      const failed = (await run(ctx, () => call(client)).catch((error: unknown) => error)) as Error;
      expect(failed).toMatchObject({ code: ctx === ended ? 1 : 4, cause: expect.any(Error) });
    }
    expect(handler).not.toHaveBeenCalled();
  });

  it("leaves no listener on the context", async () => {
    const { handlers } = recordingHandlers();
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    const [ctx, cancel] = withTimeout(background, "1h");
    using _ = cancel;
    for (let times = 0; times < 20; times++) await run(ctx, () => call(client));
    expect((ctx as unknown as { scope: { listeners: unknown } }).scope.listeners).toBeUndefined();
  });
});

const bug = (): never => {
  throw new TypeError("a bug");
};

describe("a server", () => {
  it("answers at its own limit, whatever the handler does, and names the option", async () => {
    const late = vi.fn();
    await using served = await serveEcho(
      {
        Unary: (_call, callback) => {
          current().signal.addEventListener("abort", () => setTimeout(() => (callback(null, "too late"), late()), 5));
        },
      },
      { maxTimeout: 60 },
    );
    using client = clientOf(served.address);
    await expect(client.unary("question")).rejects.toMatchObject({
      code: 4,
      details: "Deadline exceeded: budget 60 ms set by maxTimeout",
      cause: expect.any(DeadlineExceeded),
    });
    await vi.waitUntil(() => late.mock.calls.length > 0);
  });

  it("passes an error of the application on while the context of the call goes on", async () => {
    await using served = await serveEcho({
      Unary: (_call, callback) => {
        const [ctx] = withTimeout(current(), 20);
        run(ctx, () => {
          ctx.signal.addEventListener("abort", () => callback(new Error("the database said no", { cause: ctx.err() })));
        });
      },
    });
    using client = clientOf(served.address);
    // Only a derived context has ended: without `statusOf`, an error that wraps its error is the application's.
    await expect(client.unary("question")).rejects.toMatchObject({ code: 2, details: "the database said no" });
  });

  it("has its Context in the listeners of each message", async () => {
    const seen: unknown[] = [];
    await using served = await serveEcho({
      Bidi(call) {
        const ctx = current();
        call.on("data", (message) => (seen.push(current() === ctx), call.write(message)));
        call.on("end", () => (seen.push(current() === ctx), call.end()));
      },
    });
    using client = clientOf(served.address);
    const open = (client.client as unknown as Record<string, () => Duplex>)["Bidi"]!;
    const stream = open.call(client.client);
    for (const message of ["one", "two"]) {
      stream.write(message);
      await once(stream, "data");
    }
    stream.end();
    await once(stream, "end");
    expect(seen).toEqual([true, true, true]);
  });

  it("runs guards before the handler, and the handler in the context that they return", async () => {
    const userKey = createKey<string>("user");
    const seen: unknown[] = [];
    await using served = await serveEcho(
      { Unary: (_call, callback) => (seen.push(current().value(userKey)), callback(null, "answer")) },
      {
        guards: [
          ({ ctx, headers }) => {
            if (headers.get("authorization") !== "Bearer ada") throw new Unauthenticated();
            return withValue(ctx, userKey, "ada");
          },
        ],
      },
    );
    using client = clientOf(served.address);
    await expect(client.unary("question")).rejects.toMatchObject({ code: 16 });
    const metadata = new Metadata();
    metadata.set("authorization", "Bearer ada");
    expect(await client.unary("question", {}, metadata)).toBe("answer");
    expect(seen).toEqual(["ada"]);
  });

  it("runs no handler for a call that was answered, or whose client left, while a guard was pending", async () => {
    const handler = vi.fn();
    const passing = Promise.withResolvers<void>();
    const refusing = Promise.withResolvers<void>();
    const contexts: Context[] = [];
    const guarded: Guard = async ({ ctx, headers }) => {
      contexts.push(ctx);
      await passing.promise;
      if (headers.get("refuse") === "yes") {
        refusing.resolve();
        throw new Unauthenticated();
      }
    };
    await using served = await serveEcho({ Unary: handler }, { maxTimeout: 60, guards: [guarded] });
    using client = clientOf(served.address);
    const refused = new Metadata();
    refused.set("refuse", "yes");
    await expect(client.unary("question")).rejects.toMatchObject({ code: 4 });
    await expect(client.unary("question", {}, refused)).rejects.toMatchObject({ code: 4 });
    const [ctx, cancel] = withCancel(background);
    const left = run(ctx, () => client.unary("question")).catch((error: unknown) => error);
    await vi.waitUntil(() => contexts.length === 3);
    cancel();
    expect(await left).toMatchObject({ code: 1 });
    await vi.waitUntil(() => contexts.every((each) => each.err() !== undefined));
    passing.resolve();
    await refusing.promise;
    await new Promise(setImmediate);
    expect(handler).not.toHaveBeenCalled();
  });

  const dialect: DeadlineDialect = { header: "x-time-left", grammar: "anything", parse: bug, format: String };
  const spokenKey = createKey<string>("spoken");
  propagateValue(spokenKey, { name: "spoken-tenant", codec: textCodec, maxBytes: 100, as: "header" });

  it("answers a call for which a deadline dialect throws like a malformed header, and goes on", async () => {
    const handler = vi.fn((_call: unknown, callback: sendUnaryData<unknown>) => callback(null, "answer"));
    await using served = await serveEcho(
      { Unary: handler, ServerStream: handler as never },
      { deadlineHeaders: [dialect] },
    );
    using client = clientOf(served.address, null);
    const metadata = new Metadata();
    metadata.set("x-time-left", "1");
    const details = expect.stringContaining("Cannot read the header x-time-left") as string;
    await expect(client.unary("question", {}, metadata)).rejects.toMatchObject({ code: 13, details });
    expect(handler).not.toHaveBeenCalled();
    expect(await client.unary("question")).toBe("answer");
  });

  it("ignores the values of a caller when the trust option throws, emits a warning, and serves the call", async () => {
    const seen: unknown[] = [];
    const warned = once(process, "warning");
    await using served = await serveEcho(
      { Unary: (_call, callback) => (seen.push(current().value(spokenKey)), callback(null, "answer")) },
      { trust: { verified: bug } },
    );
    using client = clientOf(served.address, null);
    const metadata = new Metadata();
    metadata.set("spoken-tenant", "acme");
    expect(await client.unary("question", {}, metadata)).toBe("answer");
    expect(String(await warned)).toContain("it threw");
    expect(seen).toEqual([undefined]);
  });

  it("sets no deadline on the context in mode observe", async () => {
    const { handlers, seen } = recordingHandlers();
    await using served = await serveEcho(handlers, { mode: "observe" });
    using client = clientOf(served.address);
    await run(withTimeout(background, "1h")[0], () => client.unary("question"));
    expect((await seen).remaining).toBe(Infinity);
  });
});

describe("a client", () => {
  it("does not change the caller's metadata, which the next call may use in another context", async () => {
    const seen: unknown[] = [];
    await using served = await serveEcho({
      Unary(call, callback) {
        seen.push([criticality(), call.metadata.get("throughline-criticality")]);
        callback(null, "answer");
      },
    });
    using client = clientOf(served.address);
    const shared = new Metadata();
    shared.set("own", "kept");
    await run(withCriticality(background, "sheddable"), () => client.unary("question", {}, shared));
    await client.unary("question", {}, shared);
    expect(seen[1]).toEqual(["default", []]);
    expect(shared.getMap()).toEqual({ own: "kept" });
  });

  it("leaves no timer of grpc-js running after a call that was not sent", async () => {
    await using served = await serveEcho({});
    using client = clientOf(served.address);
    const [ctx, cancel] = withTimeout(background, "1h");
    cancel();
    const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = timers();
    for (let times = 0; times < 20; times++) await run(ctx, () => client.unary("question")).catch(() => {});
    expect(timers() - before).toBeLessThan(5);
  });

  it("calls back in the async context that the call was made in, wherever the context is canceled", async () => {
    await using served = await serveEcho({ Unary: () => {} });
    using client = clientOf(served.address);
    const storage = new AsyncLocalStorage<string>();
    const [ctx, cancel] = withCancel(background);
    const seen = Promise.withResolvers<unknown>();
    const call = (client.client as unknown as Record<string, (message: string, callback: () => void) => void>)[
      "Unary"
    ]!;
    storage.run("the caller's", () =>
      run(ctx, () => call.call(client.client, "question", () => seen.resolve([storage.getStore(), current()]))),
    );
    storage.run("another's", () => cancel());
    expect(await seen.promise).toEqual(["the caller's", ctx]);
  });

  it("leaves no timer of grpc-js running when a propagated value cannot be written", async () => {
    const key = createKey<string>("unwritable");
    propagateValue(key, {
      name: "unwritable",
      maxBytes: 10,
      codec: { encode: (value) => (value === "bad" ? bug() : value), decode: String },
    });
    await using served = await serveEcho({});
    using client = clientOf(served.address, { origins: ["http://127.0.0.1:*"] });
    const ctx = withTimeout(background, "1h")[0].setValue(key, "bad");
    const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = timers();
    for (let times = 0; times < 20; times++) {
      await expect(run(ctx, () => client.unary("question"))).rejects.toThrow("'unwritable' cannot be written");
    }
    expect(timers() - before).toBeLessThan(5);
  });

  it("ends its call by the margin before the deadline", async () => {
    await using served = await serveEcho({ Unary: () => {} });
    using client = clientOf(served.address, { margin: 300 });
    const [ctx, cancel] = withTimeout(background, 500);
    using _ = cancel;
    await expect(run(ctx, () => client.unary("question"))).rejects.toMatchObject({
      code: 4,
      cause: expect.any(DeadlineExceeded),
    });
    expect(ctx.remaining()).toBeGreaterThan(150);
  });

  it("applies a call's own deadline if it is earlier", async () => {
    const { handlers, seen } = recordingHandlers();
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    await run(withTimeout(background, "1h")[0], () => client.unary("question", { deadline: Date.now() + 500 }));
    expect((await seen).remaining).toBeLessThanOrEqual(500);
  });

  it("sends the deadline that its server only propagates", async () => {
    const { handlers, seen } = recordingHandlers();
    await using behind = await serveEcho(handlers);
    using inner = clientOf(behind.address);
    const kept: number[] = [];
    const pass: Handlers = {
      Unary: (_call, callback) => {
        kept.push(current().remaining());
        inner.unary("question").then((reply) => callback(null, reply), callback);
      },
    };
    await using served = await serveEcho(pass, { mode: "propagate" });
    using client = clientOf(served.address);
    await run(withTimeout(background, 2000)[0], () => client.unary("question"));
    expect(kept).toEqual([Infinity]);
    const { remaining } = await seen;
    expect(remaining).toBeLessThan(2000);
    expect(remaining).toBeGreaterThan(1700);
  });

  it("adds a context error as the cause of a status 4 that the server sent", async () => {
    const error = Object.assign(new Error("not in time"), { code: 4 });
    await using served = await serveEcho({ Unary: (_call, callback) => callback(error) }, null);
    using client = clientOf(served.address);
    await expect(client.unary("question")).rejects.toMatchObject({ code: 4, cause: expect.any(DeadlineExceeded) });
  });

  it("passes any other status on unchanged", async () => {
    const error = Object.assign(new Error("no such thing"), { code: 5 });
    await using served = await serveEcho({ Unary: (_call, callback) => callback(error) });
    using client = clientOf(served.address);
    const failed = (await client.unary("question").catch((each: unknown) => each)) as Error;
    expect(failed).toMatchObject({ code: 5, details: "no such thing" });
    expect(failed.cause).toBeUndefined();
  });

  it("matches origins with the target of its channel, whatever the call option host is", async () => {
    const tenantKey = createKey<string>("routed");
    const tokenKey = createKey<string>("token");
    propagateValue(tenantKey, { name: "routed-tenant", codec: textCodec, maxBytes: 100, as: "header" });
    propagateIdentity(tokenKey, { name: "routed-token", codec: textCodec, maxBytes: 100 });
    const seen: unknown[] = [];
    await using served = await serveEcho(
      {
        Unary(call, callback) {
          seen.push([call.getHost(), call.metadata.get("routed-tenant"), call.metadata.get("routed-token")]);
          callback(null, "answer");
        },
      },
      null,
    );
    const ctx = withValue(withValue(background, tenantKey, "acme"), tokenKey, "secret");
    for (const origin of ["http://inventory.internal:50051", "http://127.0.0.1:*"]) {
      using client = clientOf(served.address, { origins: [origin] });
      await run(ctx, () => client.unary("question", { host: "inventory.internal:50051" }));
    }
    expect(seen).toEqual([
      ["inventory.internal:50051", [], []],
      ["inventory.internal:50051", ["acme"], ["secret"]],
    ]);
  });

  it("matches origins with the service behind a proxy, not with the proxy", async () => {
    const tenantKey = createKey<string>("proxied");
    propagateValue(tenantKey, { name: "proxied-tenant", codec: textCodec, maxBytes: 100, as: "header" });
    const seen: unknown[] = [];
    await using served = await serveEcho(
      {
        Unary(call, callback) {
          seen.push(call.metadata.get("proxied-tenant"));
          callback(null, "answer");
        },
      },
      null,
    );
    const proxy = http.createServer().on("connect", (_req, socket: Socket) => {
      const to = connect(Number(served.address.split(":")[1]), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        to.pipe(socket).pipe(to);
      });
      for (const [one, other] of [
        [to, socket],
        [socket, to],
      ] as const)
        one.on("error", () => {}).on("close", () => other.destroy());
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    vi.stubEnv("grpc_proxy", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    for (const origin of ["http://127.0.0.1:*", "http://inventory.internal:50051"]) {
      using client = clientOf("inventory.internal:50051", { origins: [origin] });
      await run(withValue(background, tenantKey, "acme"), () => client.unary("question"));
    }
    vi.unstubAllEnvs();
    proxy.close();
    expect(seen).toEqual([[], ["acme"]]);
  });

  it("sends propagated values to its origins only, and a server accepts them from trusted peers only", async () => {
    const tenantKey = createKey<string>("tenant");
    propagateValue(tenantKey, { name: "grpc-tenant", codec: textCodec, maxBytes: 100, as: "header" });
    const seen: unknown[] = [];
    const handlers: Handlers = {
      Unary(call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) {
        seen.push([current().value(tenantKey), call.metadata.get("grpc-tenant")]);
        callback(null, "answer");
      },
    };
    const trust = { addresses: ["127.0.0.1"] };
    await using trusting = await serveEcho(handlers, { trust });
    await using strange = await serveEcho(handlers);
    const ctx = withValue(background, tenantKey, "acme");
    for (const [served, origins] of [
      [trusting, ["http://127.0.0.1:*"]],
      [strange, ["http://127.0.0.1:*"]],
      [trusting, []],
    ] as const) {
      using client = clientOf(served.address, { origins });
      await run(ctx, () => client.unary("question"));
    }
    expect(seen).toEqual([
      ["acme", ["acme"]],
      [undefined, []],
      [undefined, []],
    ]);
  });
});
