import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import {
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
  type StringValue,
  StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
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
import { requestContext, Unauthenticated } from "@throughline/http";
import { serverRequestIn } from "@throughline/http/adapter";
import { afterEach, describe, expect, it, vi } from "vitest";

import { type ConnectClientOptions, clientInterceptor, type ConnectServerOptions, serverInterceptor } from "./index.ts";
import type { ServerCall } from "./server-call.ts";

/** A service with the four kinds of call, as generated code would describe it. */
const ECHO = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: "echo.proto",
    package: "test",
    syntax: "proto3",
    dependency: ["google/protobuf/wrappers.proto"],
    service: [
      {
        name: "Echo",
        method: [
          ["Unary", false, false],
          ["ServerStream", false, true],
          ["ClientStream", true, false],
          ["Bidi", true, true],
        ].map(([name, clientStreaming, serverStreaming]) => ({
          name: name as string,
          inputType: ".google.protobuf.StringValue",
          outputType: ".google.protobuf.StringValue",
          clientStreaming: clientStreaming as boolean,
          serverStreaming: serverStreaming as boolean,
        })),
      },
    ],
  }),
  (name) => (name === "google/protobuf/wrappers.proto" ? file_google_protobuf_wrappers : undefined),
).getService("test.Echo") as DescService;

type Calls = Record<string, (input: unknown, options?: object) => Promise<StringValue> & AsyncIterable<StringValue>>;

const say = (value: string): StringValue => create(StringValueSchema, { value });

async function* stream(...values: string[]): AsyncGenerator<StringValue> {
  for (const value of values) yield say(value);
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Served {
  readonly url: string;
  /** The number of requests that are over on the server. */
  over(): number;
}

async function serve(
  handlers: object,
  options: ConnectServerOptions = {},
  isHttp2 = false,
  around: (listener: http.RequestListener) => http.RequestListener = (listener) => listener,
  within: readonly Interceptor[] = [],
): Promise<Served> {
  const listener = connectNodeAdapter({
    routes: (router) => void router.service(ECHO, handlers as never),
    interceptors: [serverInterceptor(options), ...within],
  });
  const server = isHttp2 ? http2.createServer(listener as never) : http.createServer(around(listener as never));
  let over = 0;
  server.prependListener("request", (_req: unknown, res: http.ServerResponse) =>
    res.once("close", () => setImmediate(() => (over += 1))),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sessions = new Set<http2.Http2Session>();
  server.on("session", (session: http2.Http2Session) => sessions.add(session));
  closing.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, over: () => over };
}

const PROTOCOLS = [
  [
    "Connect",
    false,
    (baseUrl: string, interceptors: Interceptor[]) =>
      createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors }),
  ],
  [
    "Connect over HTTP/2",
    true,
    (baseUrl: string, interceptors: Interceptor[]) =>
      createConnectTransport({ baseUrl, httpVersion: "2", interceptors }),
  ],
  ["gRPC", true, (baseUrl: string, interceptors: Interceptor[]) => createGrpcTransport({ baseUrl, interceptors })],
  [
    "gRPC-Web",
    false,
    (baseUrl: string, interceptors: Interceptor[]) =>
      createGrpcWebTransport({ baseUrl, httpVersion: "1.1", interceptors }),
  ],
] as const;

interface Seen {
  ctx: Context;
  remaining: number;
  ended: Promise<unknown>;
}

/** Handlers that record their context. @param waits whether they never answer */
function recordingHandlers(waits = false): { handlers: object; seen: Promise<Seen> } {
  const { promise, resolve } = Promise.withResolvers<Seen>();
  const never = new Promise<never>(() => {});
  const record = (): void => {
    const ctx = current();
    const ended = new Promise((end) => ctx.signal.addEventListener("abort", () => end(ctx.cause())));
    resolve({ ctx, remaining: ctx.remaining(), ended });
  };
  return {
    seen: promise,
    handlers: {
      async unary() {
        record();
        return waits ? never : say("answer");
      },
      async *serverStream() {
        yield say("first");
        record();
        if (waits) await never;
        yield say("last");
      },
      async clientStream(messages: AsyncIterable<StringValue>) {
        for await (const _ of messages);
        record();
        return waits ? never : say("answer");
      },
    },
  };
}

const KINDS: readonly [string, (client: Calls) => Promise<unknown>][] = [
  ["a unary call", (client) => client["unary"]!({ value: "question" })],
  [
    "a stream from the server",
    async (client) => {
      const all: string[] = [];
      for await (const { value } of client["serverStream"]!({ value: "question" })) all.push(value);
      return all;
    },
  ],
  ["a stream from the client", (client) => client["clientStream"]!(stream("one", "two"))],
];

describe.each(PROTOCOLS)("%s", (_name, isHttp2, transport) => {
  function clientOf({ url }: Served, options?: ConnectClientOptions): Calls {
    return createClient(ECHO, transport(url, [clientInterceptor(options)])) as unknown as Calls;
  }

  describe.each(KINDS)("%s", (_kind, call) => {
    it("has the remaining time of the caller", async () => {
      const { handlers, seen } = recordingHandlers();
      const client = clientOf(await serve(handlers, {}, isHttp2));
      await run(withTimeout(background, 2000)[0], () => call(client));
      const { remaining } = await seen;
      expect(remaining).toBeLessThan(2000);
      expect(remaining).toBeGreaterThan(1600);
    });

    it("ends when its response is sent", async () => {
      const { handlers, seen } = recordingHandlers();
      const client = clientOf(await serve(handlers, {}, isHttp2));
      await call(client);
      const { remaining, ended } = await seen;
      expect(remaining).toBe(Infinity);
      expect(await ended).toMatchObject({ name: "ResponseSent" });
    });

    it("ends at once on both sides when the caller cancels, with the context's own error on the client", async () => {
      const { handlers, seen } = recordingHandlers(true);
      const client = clientOf(await serve(handlers, {}, isHttp2));
      const [ctx, cancel] = withCancel(background);
      const failed = run(ctx, () => call(client)).catch((error: unknown) => error);
      const { ended } = await seen;
      cancel(new Error("no longer wanted"));
      expect(await failed).toMatchObject({ code: Code.Canceled, cause: ctx.err() });
      expect(await ended).toMatchObject({ name: "ClientDisconnected" });
    });

    it("ends at the deadline on both sides", async () => {
      const { handlers, seen } = recordingHandlers(true);
      const client = clientOf(await serve(handlers, {}, isHttp2));
      const [ctx] = withTimeout(background, 200);
      const failed = (await run(ctx, () => call(client)).catch((error: unknown) => error)) as Error;
      expect(failed).toMatchObject({ code: Code.DeadlineExceeded });
      expect(failed.cause).toBeInstanceOf(DeadlineExceeded);
      const there = await seen;
      await there.ended;
      expect(there.ctx.err()).toBeDefined();
    });

    it("is answered at the server's own limit, whatever the handler does", async () => {
      const { handlers } = recordingHandlers(true);
      const client = clientOf(await serve(handlers, { maxTimeout: 60 }, isHttp2));
      await expect(call(client)).rejects.toMatchObject({
        code: Code.DeadlineExceeded,
        rawMessage: "Deadline exceeded: budget 60 ms set by maxTimeout",
        cause: expect.any(DeadlineExceeded),
      });
    });

    it("is not sent if less than a millisecond is left", async () => {
      const { handlers, seen } = recordingHandlers();
      const client = clientOf(await serve(handlers, {}, isHttp2));
      await expect(run(withTimeout(background, 0)[0], () => call(client))).rejects.toMatchObject({
        code: Code.DeadlineExceeded,
      });
      expect(await Promise.race([seen, "nothing came"])).toBe("nothing came");
    });

    it("leaves no listener on the context", async () => {
      const { handlers } = recordingHandlers();
      const client = clientOf(await serve(handlers, {}, isHttp2));
      const [ctx] = withTimeout(background, "1h");
      for (let times = 0; times < 5; times++) await run(ctx, () => call(client));
      expect((ctx as unknown as { scope: { listeners: unknown } }).scope.listeners).toBeUndefined();
    });
  });

  it("applies a call's own timeout if it is earlier", async () => {
    const { handlers, seen } = recordingHandlers();
    const client = clientOf(await serve(handlers, {}, isHttp2));
    await run(withTimeout(background, "1h")[0], () => client["unary"]!({ value: "question" }, { timeoutMs: 500 }));
    expect((await seen).remaining).toBeLessThanOrEqual(500);
  });

  it("ends the generator of a stream when its client disconnects", async () => {
    const finished = Promise.withResolvers<void>();
    const handlers = {
      async *serverStream() {
        try {
          for (;;) {
            yield say("more");
            await new Promise((resolve) => setTimeout(resolve, 2));
          }
        } finally {
          finished.resolve();
        }
      },
    };
    const client = clientOf(await serve(handlers, {}, isHttp2));
    const controller = new AbortController();
    await expect(async () => {
      for await (const _ of client["serverStream"]!({}, { signal: controller.signal })) controller.abort();
    }).rejects.toMatchObject({ code: Code.Canceled });
    await finished.promise;
  });

  it("runs no handler for a call that ended while a guard was pending", async () => {
    const ran: string[] = [];
    const passed = Promise.withResolvers<void>();
    const contexts: Context[] = [];
    const options: ConnectServerOptions = {
      maxTimeout: 50,
      guards: [
        async ({ ctx }) => {
          contexts.push(ctx);
          await passed.promise;
        },
      ],
    };
    const client = clientOf(await serve({ unary: () => (ran.push("handler"), say("late")) }, options, isHttp2));
    await expect(client["unary"]!({})).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(contexts[0]!.err()).toBeDefined();
    passed.resolve();
    await new Promise(setImmediate);
    expect(ran).toEqual([]);
  });

  it("runs no handler for a call whose client disconnected in the admission queue", async () => {
    const ran: number[] = [];
    const go = Promise.withResolvers<void>();
    const first = Promise.withResolvers<void>();
    const handlers = {
      async unary() {
        ran.push(ran.length);
        first.resolve();
        await go.promise;
        return say("answer");
      },
    };
    const served = await serve(handlers, { admission: { concurrency: 1, queue: 5 } }, isHttp2);
    const client = clientOf(served);
    const answer = client["unary"]!({});
    await first.promise;
    const controller = new AbortController();
    const left = client["unary"]!({}, { signal: controller.signal });
    setTimeout(() => controller.abort(), 30);
    await expect(left).rejects.toMatchObject({ code: Code.Canceled });
    await vi.waitUntil(() => served.over() === 1);
    // The queue is first in, first out: when a later call was served, the one that disconnected was passed over.
    const last = client["unary"]!({});
    go.resolve();
    await Promise.all([answer, last]);
    expect(ran).toEqual([0, 1]);
  });

  it("runs guards before the handler, and the handler in the context that they return", async () => {
    const userKey = createKey<string>("user");
    const seen: unknown[] = [];
    const options: ConnectServerOptions = {
      guards: [
        ({ ctx, headers }) => {
          if (headers.get("authorization") !== "Bearer ada") throw new Unauthenticated();
          return withValue(ctx, userKey, "ada");
        },
      ],
    };
    const handlers = { unary: () => (seen.push(current().value(userKey)), say("answer")) };
    const client = clientOf(await serve(handlers, options, isHttp2));
    await expect(client["unary"]!({})).rejects.toMatchObject({ code: Code.Unauthenticated });
    await client["unary"]!({}, { headers: { authorization: "Bearer ada" } });
    expect(seen).toEqual(["ada"]);
  });

  it("answers a call for which a deadline dialect throws, without running a handler", async () => {
    const handler = vi.fn(() => say("answer"));
    const bug = (): never => {
      throw new TypeError("a bug");
    };
    const dialect = { header: "x-time-left", grammar: "anything", parse: bug, format: String };
    const client = clientOf(await serve({ unary: handler }, { deadlineHeaders: [dialect] }, isHttp2));
    await expect(client["unary"]!({}, { headers: { "x-time-left": "1" } })).rejects.toMatchObject({
      code: Code.Internal,
      rawMessage: expect.stringContaining("Cannot read the header x-time-left") as string,
    });
    expect(handler).not.toHaveBeenCalled();
  });

  it.each(KINDS)(
    "reports when a handler settles after its call, and ignores its rejection: %s",
    async (_kind, call) => {
      const unhandled = vi.fn();
      process.on("unhandledRejection", unhandled);
      const go = Promise.withResolvers<never>();
      const running = Promise.withResolvers<ServerCall>();
      const work = (): Promise<never> => {
        running.resolve(serverRequestIn(current())!.response as ServerCall);
        return go.promise;
      };
      const handlers = {
        unary: work,
        clientStream: work,
        async *serverStream() {
          yield say("first");
          await work();
        },
      };
      const client = clientOf(await serve(handlers, { maxTimeout: 60 }, isHttp2));
      const failed = expect(call(client)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
      const served = await running.promise;
      await failed;
      const handled = served.onceHandled();
      expect(await Promise.race([handled, "pending"])).toBe("pending");
      go.reject(new Error("too late"));
      await handled;
      expect(served.onceHandled()).toBeUndefined();
      await new Promise(setImmediate);
      expect(unhandled).not.toHaveBeenCalled();
      process.off("unhandledRejection", unhandled);
    },
  );

  it("counts a handler that goes on after its call against the concurrency", async () => {
    const go = Promise.withResolvers<void>();
    const handlers = {
      async unary() {
        await go.promise;
        return say("late");
      },
    };
    const options = { maxTimeout: 50, admission: { concurrency: 1, queue: 0 } };
    const client = clientOf(await serve(handlers, options, isHttp2));
    await expect(client["unary"]!({})).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    await expect(client["unary"]!({})).rejects.toMatchObject({ code: Code.Unavailable });
    go.resolve();
    await new Promise(setImmediate);
    expect((await client["unary"]!({})) as object).toMatchObject(say("late"));
  });

  it("starts no stream that a handler returns after its call", async () => {
    const started: string[] = [];
    const handlers = {
      async *serverStream() {
        started.push("the stream");
        yield say("late");
      },
    };
    const running = Promise.withResolvers<ServerCall>();
    const coming = Promise.withResolvers<void>();
    const late: Interceptor = (next) => async (request) => {
      running.resolve(serverRequestIn(current())!.response as ServerCall);
      const response = await next(request);
      await coming.promise;
      return response;
    };
    const client = clientOf(await serve(handlers, { maxTimeout: 60 }, isHttp2, undefined, [late]));
    await expect(KINDS[1]![1](client)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    const handled = (await running.promise).onceHandled();
    coming.resolve();
    await handled;
    expect(started).toEqual([]);
  });

  it("passes errors of the application on unchanged", async () => {
    const handlers = {
      unary() {
        throw new ConnectError("no such thing", Code.NotFound);
      },
    };
    const client = clientOf(await serve(handlers, {}, isHttp2));
    const failed = (await client["unary"]!({}).catch((error: unknown) => error)) as ConnectError;
    expect([failed.code, failed.rawMessage, failed.cause]).toEqual([Code.NotFound, "no such thing", undefined]);
  });
});

it("inside a requestContext middleware the handler runs in the context of the middleware", async () => {
  const seen: Context[] = [];
  const handlers = { unary: () => (seen.push(current()), say("answer")) };
  const around = (listener: http.RequestListener): http.RequestListener =>
    requestContext(
      (req, res) => {
        seen.push(current());
        listener(req as http.IncomingMessage, res as http.ServerResponse);
      },
      { maxTimeout: "5s" },
    ) as http.RequestListener;
  const { url } = await serve(handlers, {}, false, around);
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1", interceptors: [clientInterceptor()] });
  await (createClient(ECHO, transport) as unknown as Calls)["unary"]!({});
  expect(seen).toHaveLength(2);
  expect((seen[0] as unknown as { scope: object }).scope).toBe((seen[1] as unknown as { scope: object }).scope);
});

it("inside a requestContext middleware a status does not disclose the internal source of a deadline", async () => {
  const handlers = {
    unary: () =>
      new Promise((_resolve, reject) =>
        current().signal.addEventListener("abort", () => reject(new Error("the database said no"))),
      ),
  };
  const around = (listener: http.RequestListener): http.RequestListener =>
    requestContext((req, res) => {
      const [ctx] = withTimeout(current(), 30, { source: "INTERNAL fraud rule 7" });
      run(ctx, listener, req as http.IncomingMessage, res as http.ServerResponse);
    }) as http.RequestListener;
  const { url } = await serve(handlers, {}, false, around);
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  const client = createClient(ECHO, transport) as unknown as Calls;
  await expect(client["unary"]!({})).rejects.toMatchObject({
    code: Code.DeadlineExceeded,
    rawMessage: "Deadline exceeded: budget 30 ms",
  });
});
