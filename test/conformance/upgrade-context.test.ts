import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

import { trace } from "@opentelemetry/api";
import { type Context, createKey, current, traceId, withValue } from "@throughline/context";
import { isAttached } from "@throughline/context/internal";
import {
  ClientDisconnected,
  criticality,
  drain,
  Forbidden,
  type Guard,
  handleMessage,
  propagateValue,
  requestContext,
  ServerDraining,
  textCodec,
  Unauthenticated,
  upgradeContext,
  type UpgradeOptions,
} from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { generate } from "selfsigned";
import { Server as SocketServer } from "socket.io";
import { io } from "socket.io-client";
import { assert, describe, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";

import { dial } from "../support/http-client.ts";
import { atEnd, cleanUpAfterEach } from "../support/loopback.ts";
import { recordSpans } from "../support/spans.ts";

cleanUpAfterEach();

const region = createKey<string>("region");
propagateValue(region, { name: "socket-region", codec: textCodec, maxBytes: 64, as: "header" });
const user = createKey<string>("user");

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;
const loopback = { addresses: ["127.0.0.1"] };

/** A connection, as the listener of the server sees it. */
interface ServerSocket {
  onMessage(listener: (message: string) => void): void;
  send(message: string): void;
}

interface ClientSocket {
  readonly received: string[];
  send(message: string): void;
  close(): void;
  /** The close code. */
  readonly closed: Promise<number>;
}

interface Library {
  readonly name: string;
  readonly path: string;
  attach(server: http.Server, onConnection: (socket: ServerSocket) => void): void;
  connect(url: string, headers?: Record<string, string>): Promise<ClientSocket>;
}

const wsConnection =
  (onConnection: (socket: ServerSocket) => void) =>
  (ws: WebSocket): void =>
    onConnection({
      onMessage: (listener) => void ws.on("message", (data: Buffer) => listener(data.toString())),
      send: (message) => ws.send(message),
    });

async function connectWs(url: string, headers: Record<string, string> = {}): Promise<ClientSocket> {
  const ws = new WebSocket(url, { headers });
  const received: string[] = [];
  ws.on("message", (data: Buffer) => received.push(data.toString()));
  const closed = once(ws, "close").then(([code]) => code as number);
  await once(ws, "open");
  return { received, closed, send: (message) => ws.send(message), close: () => ws.close(1000) };
}

const libraries: readonly Library[] = [
  {
    name: "ws with the option server",
    path: "",
    attach: (server, onConnection) => void new WebSocketServer({ server }).on("connection", wsConnection(onConnection)),
    connect: connectWs,
  },
  {
    name: "ws with the option noServer",
    path: "",
    attach(server, onConnection) {
      const sockets = new WebSocketServer({ noServer: true });
      server.on("upgrade", (req, socket, head) => sockets.handleUpgrade(req, socket, head, wsConnection(onConnection)));
    },
    connect: connectWs,
  },
  {
    name: "socket.io",
    path: "socket.io/?EIO=4&transport=websocket",
    attach(server, onConnection) {
      new SocketServer(server, { transports: ["websocket"] }).on("connection", (socket) =>
        onConnection({
          onMessage: (listener) => void socket.on("message", listener),
          send: (message) => socket.emit("message", message),
        }),
      );
    },
    async connect(url, headers = {}) {
      const socket = io(url, { transports: ["websocket"], reconnection: false, forceNew: true, extraHeaders: headers });
      const received: string[] = [];
      socket.on("message", (message: string) => received.push(message));
      const closed = new Promise<number>((resolve) =>
        socket.on("disconnect", (_reason, details) =>
          resolve((details as { context?: { code?: number } } | undefined)?.context?.code ?? 0),
        ),
      );
      await once(socket as unknown as EventTarget & NodeJS.EventEmitter, "connect");
      return { received, closed, send: (message) => socket.emit("message", message), close: () => socket.close() };
    },
  },
];

async function listen(options: UpgradeOptions | undefined): Promise<{ server: http.Server; url: string }> {
  const server = http.createServer(requestContext((_req, res) => void res.end("ok")));
  if (options !== undefined) upgradeContext(server, options);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => drain(server, { shutdownTimeout: 1 }));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Sends an upgrade request that is refused. */
async function refusedUpgrade(url: string, headers: Record<string, string> = {}) {
  const socket = dial(url);
  const { pathname, search } = new URL(url);
  const sent = {
    host: "x",
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(sent).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const [head, body] = (await text(socket)).split("\r\n\r\n") as [string, string];
  return { status: Number(head.split(" ")[1]), head, title: (JSON.parse(body || "{}") as { title?: string }).title };
}

const refusals: readonly [string, number, UpgradeOptions][] = [
  ["a guard that throws Unauthenticated", 401, { guards: [() => Promise.reject(new Unauthenticated())] }],
  ["a guard that throws Forbidden", 403, { guards: [() => Promise.reject(new Forbidden())] }],
  ["a guard that never decides", 504, { maxTimeout: 30, guards: [() => new Promise<void>(() => {})] }],
  ["a full server", 503, { admission: { concurrency: 1, queue: 0 }, guards: [() => new Promise<void>(() => {})] }],
  ["a malformed deadline", 400, {}],
  ["a deadline that has passed", 504, {}],
];

describe.each(libraries)("$name", ({ attach, connect, path }) => {
  it("a connection has a context of its own, which is current in its listeners", async () => {
    const { server, url } = await listen({ maxTimeout: 300, trust: loopback });
    const contexts: Context[] = [];
    const inMessages: Context[] = [];
    attach(server, (socket) => {
      contexts.push(current());
      socket.onMessage((message) => {
        inMessages.push(current());
        socket.send(message);
      });
    });
    const headers = { traceparent: TRACEPARENT, "socket-region": "eu", "throughline-criticality": "critical" };
    const first = await connect(url, headers);
    const second = await connect(url);
    await vi.waitUntil(() => contexts.length === 2);
    // Longer than the limit of the upgrade request.
    await delay(350);
    first.send("a");
    second.send("b");
    await vi.waitUntil(() => first.received.length + second.received.length === 2);

    const [one, two] = contexts as [Context, Context];
    expect(new Set(inMessages.map((ctx) => contexts.findIndex((each) => isAttached(ctx, each))))).toEqual(
      new Set([0, 1]),
    );
    expect([one.err(), two.err(), one.remaining()]).toEqual([undefined, undefined, Infinity]);
    expect([traceId(one), one.value(region), criticality(one)]).toEqual([TRACE_ID, "eu", "critical"]);
    expect(traceId(two)).toMatch(/^(?!0af765)[0-9a-f]{32}$/);
    expect(two.value(region)).toBeUndefined();
  });

  it("the context ends when the connection closes, with ClientDisconnected as the cause", async () => {
    const { server, url } = await listen({});
    let ctx: Context | undefined;
    attach(server, () => void (ctx = current()));
    const client = await connect(url);
    await vi.waitUntil(() => ctx);
    client.close();
    await vi.waitUntil(() => ctx!.err());

    expect(ctx!.cause()).toBeInstanceOf(ClientDisconnected);
    expect(ctx!.err()!.statusCode).toBe(499);
  });

  it("headers that an untrusted peer may not set are removed", async () => {
    const { server, url } = await listen({});
    const seen: unknown[] = [];
    server.on("upgrade", (req) => seen.push(req.headers["socket-region"], req.headers["throughline-criticality"]));
    attach(server, () => seen.push(current().value(region), criticality(current())));
    await connect(url, { "socket-region": "eu", "throughline-criticality": "critical" });
    await vi.waitUntil(() => seen.length === 4);

    expect(seen).toEqual([undefined, undefined, undefined, "default"]);
  });

  it.each(refusals)("answers an upgrade with %s before any listener", async (which, status, options) => {
    let guarded = 0;
    const guards = options.guards?.map(
      (guard): Guard =>
        (request) => ((guarded += 1), guard(request)),
    );
    const { server, url } = await listen(guards === undefined ? options : { ...options, guards });
    let calls = 0;
    server.on("upgrade", () => void (calls += 1));
    attach(server, () => void (calls += 1));
    const deadline = { "a malformed deadline": "soon", "a deadline that has passed": "0m" }[which];
    if (which === "a full server") {
      dial(url).write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
      await vi.waitUntil(() => guarded === 1);
    }
    const refused = await refusedUpgrade(url + path, deadline === undefined ? {} : { "grpc-timeout": deadline });

    expect(refused.status).toBe(status);
    expect(refused.title).toBeTypeOf("string");
    expect(refused.head.toLowerCase()).toContain("connection: close");
    expect(calls).toBe(0);
  });

  it("a guard sees the upgrade request, and its context is that of the connection", async () => {
    const { server, url } = await listen({
      guards: [
        async ({ ctx, headers }) => {
          await delay(5);
          return withValue(ctx, user, String(headers.get("authorization")));
        },
      ],
    });
    let ctx: Context | undefined;
    attach(server, () => void (ctx = current()));
    await connect(url, { authorization: "Bearer ada" });
    await vi.waitUntil(() => ctx);

    expect(ctx!.value(user)).toBe("Bearer ada");
    expect(ctx!.err()).toBeUndefined();
  });

  it("a message has a context of its own with a deadline", async () => {
    const { server, url } = await listen({ trust: loopback });
    let connection: Context | undefined;
    attach(server, (socket) => {
      connection = current();
      socket.onMessage((message) => {
        void handleMessage(current(), { timeout: 300 }, async (ctx) => {
          expect(current()).toBe(ctx);
          await sleep(ctx, Number(message));
          return `${message} ${ctx.value(region)}`;
        }).then(
          (result) => socket.send(result!),
          (error: { code: string }) => socket.send(error.code),
        );
      });
    });
    const client = await connect(url, { "socket-region": "eu" });
    client.send("5000");
    client.send("1");
    await vi.waitUntil(() => client.received.length === 2);

    expect(client.received).toEqual(["1 eu", "DEADLINE_EXCEEDED"]);
    expect(connection!.err()).toBeUndefined();
  });

  it("a message that is being handled ends with its connection, and its promise does not reject", async () => {
    const { server, url } = await listen({});
    const results: unknown[] = [];
    let began = false;
    attach(server, (socket) =>
      socket.onMessage(async () => {
        const work = async (ctx: Context): Promise<never> => {
          began = true;
          await sleep(ctx, "1h").catch((error: Error) => results.push(error.cause));
          throw ctx.err()!;
        };
        results.push(await handleMessage(current(), { timeout: "2h" }, work));
      }),
    );
    const client = await connect(url);
    client.send("x");
    await vi.waitUntil(() => began);
    client.close();
    await vi.waitUntil(() => results.length === 2);

    expect(results).toEqual([expect.any(ClientDisconnected), undefined]);
  });

  it("a drain closes idle connections with code 1001 at once", async () => {
    const { server, url } = await listen({});
    attach(server, () => {});
    const clients = [await connect(url), await connect(url)];
    const from = performance.now();
    await drain(server, { shutdownTimeout: "10s" });

    expect(performance.now() - from).toBeLessThan(5000);
    expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual([1001, 1001]);
  });

  it("a drain lets messages that are being handled finish, and then closes their connection with code 1001", async () => {
    const { server, url } = await listen({});
    let began = false;
    attach(server, (socket) =>
      socket.onMessage(() => {
        began = true;
        void handleMessage(current(), { timeout: "5s" }, async (ctx) => {
          await sleep(ctx, 200);
          socket.send("handled");
        });
      }),
    );
    const client = await connect(url);
    client.send("x");
    await vi.waitUntil(() => began);
    const from = performance.now();
    await drain(server, { shutdownTimeout: "10s" });

    expect(performance.now() - from).toBeLessThan(5000);
    expect(client.received).toEqual(["handled"]);
    expect(await client.closed).toBe(1001);
  });

  it("a drain cancels messages after shutdownTimeout, and then closes their connection with code 1001", async () => {
    const { server, url } = await listen({});
    const causes: unknown[] = [];
    let began = false;
    attach(server, (socket) =>
      socket.onMessage(() => {
        began = true;
        const connection = current();
        void handleMessage(connection, {}, async (ctx) => {
          await sleep(ctx, "1h");
        }).catch((error: Error) => {
          causes.push(error.cause, connection.cause());
        });
      }),
    );
    const client = await connect(url);
    client.send("x");
    await vi.waitUntil(() => began);
    const from = performance.now();
    await drain(server, { shutdownTimeout: 100 });

    expect(performance.now() - from).toBeGreaterThan(95);
    expect(performance.now() - from).toBeLessThan(5000);
    expect(causes).toEqual([expect.any(ServerDraining), expect.any(ServerDraining)]);
    expect(await client.closed).toBe(1001);
  });

  it("without upgradeContext a drain closes connections with code 1001 too", async () => {
    const { server, url } = await listen(undefined);
    attach(server, () => {});
    await connect(url).then(({ close }) => close());
    const client = await connect(url);
    await drain(server, { shutdownTimeout: "10s" });

    expect(await client.closed).toBe(1001);
  });
});

describe("upgradeContext", () => {
  it("gives connections of node:https their Context too", async () => {
    const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }]);
    const server = upgradeContext(https.createServer({ key, cert }), { guards: [async ({ ctx }) => ctx] });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    let ctx: Context | undefined;
    new WebSocketServer({ server }).on("connection", (ws) => {
      // oxlint-disable-next-line throughline/bind-listener -- events of the connection run in its context
      ws.on("message", () => void (ctx = current()));
    });
    const { port } = server.address() as AddressInfo;
    const client = new WebSocket(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false });
    const closed = once(client, "close");
    await once(client, "open");
    client.send("x");
    await vi.waitUntil(() => ctx);
    await drain(server, { shutdownTimeout: "5s" });

    expect(traceId(ctx)).toMatch(/^[0-9a-f]{32}$/);
    expect(ctx!.cause()).toBeInstanceOf(ClientDisconnected);
    expect((await closed)[0]).toBe(1001);
  });

  it("a drain answers 503 to an upgrade that a guard decides on", async () => {
    const decision = Promise.withResolvers<void>();
    const guard = vi.fn<() => Promise<void>>(() => decision.promise);
    const { server, url } = await listen({ guards: [guard] });
    const upgraded = vi.fn<() => void>();
    server.on("upgrade", upgraded);
    const refused = refusedUpgrade(url);
    await vi.waitUntil(() => guard.mock.calls.length === 1);
    const drained = drain(server, { shutdownTimeout: "10s" });
    decision.resolve();

    const { status, head } = await refused;
    expect(status).toBe(503);
    expect(head.toLowerCase()).toContain("throughline-outcome: draining;started=?0");
    expect(upgraded).not.toHaveBeenCalled();
    await drained;
  });

  it("a drain ends a connection whose client does not answer the close frame", async () => {
    const { server, url } = await listen({});
    new WebSocketServer({ server }).on("connection", () => {});
    const socket = dial(url);
    const frames: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => frames.push(chunk));
    const ended = once(socket, "close");
    socket.write(
      "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n" +
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await vi.waitUntil(() => frames.length > 0);
    const from = performance.now();
    await drain(server, { shutdownTimeout: 100 });

    expect(performance.now() - from).toBeLessThan(5000);
    expect(Buffer.concat(frames).subarray(-4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xe9]));
    await ended;
  });

  it("a drain sends the close frame itself for a library that it does not know", async () => {
    const { server, url } = await listen({});
    server.on("upgrade", (_req, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
      socket.on("data", () => socket.end());
    });
    const socket = dial(url);
    const frames: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => {
      frames.push(chunk);
      if (frames.length === 2) socket.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
    });
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    await vi.waitUntil(() => frames.length > 0);
    const from = performance.now();
    await drain(server, { shutdownTimeout: "10s" });

    expect(frames[1]).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xe9]));
    expect(performance.now() - from).toBeLessThan(5000);
  });

  it("a listener of upgrade reads the headers of a trusted peer, also if a middleware of the server trusts none", async () => {
    const { server, url } = await listen({ trust: loopback });
    let header: unknown;
    server.on("upgrade", (req, socket) => {
      header = req.headers["socket-region"];
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await refusedUpgrade(url, { "socket-region": "eu" });

    expect(header).toBe("eu");
  });

  it("a client that goes on sending gets the answer to its refused upgrade, and is then disconnected", async () => {
    const { server, url } = await listen({ guards: [() => Promise.reject(new Forbidden())] });
    server.on("upgrade", () => {});
    const socket = dial(url);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    const sent = setInterval(() => socket.write(Buffer.alloc(100_000)), 1);
    const error = vi.fn<(error: Error) => void>();
    const closed = new Promise((resolve) => socket.on("error", error).once("close", resolve));
    const answer = once(socket, "data");
    expect(String((await answer)[0])).toMatch(/^HTTP\/1\.1 403 /);
    await delay(100);
    expect(error).not.toHaveBeenCalled();
    await closed;
    clearInterval(sent);
  });

  it("the connection of a refused upgrade closes as soon as its client has the answer", async () => {
    const decision = Promise.withResolvers<void>();
    const { server, url } = await listen({ guards: [() => decision.promise] });
    server.on("upgrade", () => {});
    const socket = dial(url);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    await delay(20);
    // Not read before the answer.
    socket.write("early");
    await delay(20);
    decision.reject(new Forbidden());
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 /);
    const from = performance.now();
    const count = promisify(server.getConnections.bind(server));
    await vi.waitUntil(async () => (await count()) === 0, { interval: 5 });

    expect(performance.now() - from).toBeLessThan(400);
  });

  it("an upgrade that its listener does not answer is answered 504 at its deadline", async () => {
    const { server, url } = await listen({ maxTimeout: 40 });
    let late: boolean | undefined;
    server.on("upgrade", async (_req, socket) => {
      await delay(80);
      late = socket.writable;
      socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    });

    expect((await refusedUpgrade(url)).status).toBe(504);
    await vi.waitUntil(() => late !== undefined);
    expect(late).toBe(false);
  });

  it("an error of a guard that the library does not answer is a 500, and goes to onError", async () => {
    const onError = vi.fn<(error: unknown) => void>();
    const { server, url } = await listen({ guards: [() => Promise.reject(new Error("no keys"))], onError });
    const upgraded = vi.fn<() => void>();
    server.on("upgrade", upgraded);
    const socket = dial(url);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");

    expect(await text(socket)).toMatch(/^HTTP\/1\.1 500 [^]*Internal Server Error\n$/);
    expect(onError.mock.calls).toEqual([[new Error("no keys")]]);
    expect(upgraded).not.toHaveBeenCalled();
  });

  it("a client that resets its connection while a guard decides ends the guard's context, and no process", async () => {
    let ctx: Context | undefined;
    const { server, url } = await listen({
      guards: [
        async (request) => {
          ({ ctx } = request);
          await sleep(ctx, "1h");
        },
      ],
    });
    const upgraded = vi.fn<() => void>();
    server.on("upgrade", upgraded);
    const socket = dial(url);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    await vi.waitUntil(() => ctx);
    socket.resetAndDestroy();
    await vi.waitUntil(() => ctx!.err());

    expect(ctx!.cause()).toBeInstanceOf(ClientDisconnected);
    expect(upgraded).not.toHaveBeenCalled();
  });

  it("leaves requests without an upgrade, and upgrades without a listener, as they are", async () => {
    const { url } = await listen({ guards: [() => Promise.reject(new Forbidden())] });
    expect(await (await fetch(url)).text()).toBe("ok");
    const socket = dial(url);
    socket.end("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("refuses wrong arguments at the call", () => {
    const server = http.createServer();
    expect(() => upgradeContext({} as http.Server)).toThrow(/'server' must be one of node:http or node:https/);
    expect(() => upgradeContext(server, { guards: [1 as never] })).toThrow(/'guards' must be a list of functions/);
    expect(() => upgradeContext(server, { idleTimeout: 1 } as UpgradeOptions)).toThrow(/no option 'idleTimeout'/);
    expect(() => upgradeContext(server, { maxTimout: 1 } as UpgradeOptions)).toThrow(/no option 'maxTimout'/);
    expect(upgradeContext(server)).toBe(server);
    expect(() => upgradeContext(server)).toThrow(/already has one/);
    expect(() => handleMessage(current(), { timeout: "x" as never }, () => {})).toThrow(/'timeout'/);
    expect(() => handleMessage(current(), {}, undefined as never)).toThrow(/'work' must be a function/);
  });
});

describe("with an SDK", () => {
  const spans = recordSpans();

  it("the upgrade request is a SERVER span with status 101, and spans of messages belong to its trace", async () => {
    const { server, url } = await listen({});
    new WebSocketServer({ server }).on("connection", (ws) =>
      ws.on("message", () =>
        // oxlint-disable-next-line throughline/bind-listener -- events of the connection run in its context
        handleMessage(current(), {}, () => {
          trace.getTracer("test").startSpan("message").end();
          ws.send("done");
        }),
      ),
    );
    const client = await connectWs(url, { traceparent: TRACEPARENT });
    client.send("x");
    const [upgrade, message] = await spans.take(2);

    assert(upgrade !== undefined && message !== undefined);
    expect(upgrade.attributes).toMatchObject({
      "http.response.status_code": 101,
      "throughline.ended_by": "response",
    });
    expect(upgrade.spanContext().traceId).toBe(TRACE_ID);
    expect(message.parentSpanContext?.spanId).toBe(upgrade.spanContext().spanId);
  });
});
