import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type Duplex, PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { type Context, current } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { drain, ServerDraining } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { describe, expect, it, vi } from "vitest";

import { hosts, serve, type Served } from "../hosts/index.ts";
import { dial, send } from "../support/http-client.ts";

/** Starts a server that passes its connections to another one, as port multiplexers do. Returns its URL. */
async function forwardTo({ server, url }: Pick<Served, "server" | "url">): Promise<AsyncDisposable & { url: string }> {
  const other = createServer(
    (socket) =>
      void server.emit(
        "connection",
        socket.on("error", () => {}),
      ),
  );
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const to = new URL(url);
  to.port = String((other.address() as AddressInfo).port);
  return { url: to.href, [Symbol.asyncDispose]: async () => void other.close() };
}

const UPGRADES = {
  upgrade: "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
  connect: "CONNECT next.example:80 HTTP/1.1\r\nhost: x\r\n\r\n",
} as const;

describe.concurrent.each(hosts)("$name, drained,", (host) => {
  it("finishes running requests, refuses new connections, and closes", async () => {
    const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using served = await serve(host, async () => {
      begun.resolve();
      await finish.promise;
      return "finished";
    });
    const { reply } = send(host.protocol, served.url);
    await begun.promise;
    const drained = drain(served.server, { shutdownTimeout: "10s" });

    await expect(send(host.protocol, served.url).reply).rejects.toThrow();
    finish.resolve();
    expect((await reply).body).toBe("finished");
    await drained;
    expect(served.server.listening).toBe(false);
  });

  it("cancels requests that run longer than shutdownTimeout and answers 503", async () => {
    let ctx: Context | undefined;
    await using served = await serve(host, async () => {
      ctx = current();
      await sleep(ctx, "1h");
      return "never";
    });
    const { reply } = send(host.protocol, served.url);
    await vi.waitUntil(() => ctx);
    const drained = drain(served.server, { shutdownTimeout: 30 });

    const { status, headers, json } = await reply;
    expect([status, headers["throughline-outcome"], headers["retry-after"], json()["title"]]).toEqual([
      503,
      "draining;started=?1",
      "0",
      "Server draining",
    ]);
    expect(ctx!.cause()).toBeInstanceOf(ServerDraining);
    await drained;
  });

  it("answers 503 for handlers that ignore their context", async () => {
    const begun = Promise.withResolvers<void>();
    await using served = await serve(host, () => (begun.resolve(), new Promise(() => {})));
    const { reply } = send(host.protocol, served.url);
    await begun.promise;
    await drain(served.server, { shutdownTimeout: 30 });
    expect((await reply).headers["throughline-outcome"]).toBe("draining;started=?1");
  });

  it("aborts started responses of handlers that ignore their context", async () => {
    const begun = Promise.withResolvers<void>();
    const body = new PassThrough();
    body.write("begun");
    await using served = await serve(host, () => (begun.resolve(), body));
    const { reply } = send(host.protocol, served.url);
    const failed = expect(reply).rejects.toThrow();
    await begun.promise;
    await drain(served.server, { shutdownTimeout: 30 });
    await failed;
    body.destroy();
  });

  it("limits the deadline of calls to shutdownTimeout from then on", async () => {
    const sent: (string | null)[] = [];
    const fetch = createFetch({
      fetch: async (_input, init) => (sent.push(new Headers(init?.headers).get("grpc-timeout")), new Response()),
    });
    const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using served = await serve(host, async () => {
      await fetch("http://next.example/");
      begun.resolve();
      await goOn.promise;
      await fetch("http://next.example/");
      return "finished";
    });
    const { reply } = send(host.protocol, served.url, { "grpc-timeout": "1H" });
    await begun.promise;
    const drained = drain(served.server, { shutdownTimeout: "10s" });
    goOn.resolve();

    expect((await reply).body).toBe("finished");
    expect(sent).toEqual([expect.stringMatching(/^35\d{5}m$/), expect.stringMatching(/^9\d{3}m$/)]);
    await drained;
  });

  it("cancels late requests on a connection that another server passed to it", async () => {
    const begun = Promise.withResolvers<void>();
    await using served = await serve(host, async () => (begun.resolve(), await sleep(current(), "1h"), "never"));
    await using other = await forwardTo(served);
    const { reply } = send(host.protocol, other.url);
    await begun.promise;
    await drain(served.server, { shutdownTimeout: 30 });

    expect((await reply).headers["throughline-outcome"]).toBe("draining;started=?1");
  });

  it("drains at once without connections, and returns the same promise for repeated calls", async () => {
    await using served = await serve(host, () => "ok");
    const from = performance.now();
    const drained = drain(served.server, { shutdownTimeout: "10s" });

    expect(drain(served.server, { shutdownTimeout: "10s" })).toBe(drained);
    await drained;
    expect(drain(served.server, { shutdownTimeout: 0 })).toBe(drained);
    expect(performance.now() - from).toBeLessThan(400);
  });

  it.runIf(host.protocol === "http/1.1")("announces with the response that it closes the connection", async () => {
    const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using served = await serve(host, async () => (begun.resolve(), await finish.promise, "finished"));
    const { reply } = send(host.protocol, served.url, { connection: "keep-alive" });
    await begun.promise;
    const drained = drain(served.server, { shutdownTimeout: "10s" });
    finish.resolve();

    expect((await reply).headers["connection"]).toBe("close");
    await drained;
  });

  it.runIf(host.protocol === "http/1.1").each([
    ["that wait for their handlers, and announces the close with the last one", 3, [false, false, true]],
    ["that wait for the first one", 1, [false, false, false]],
  ] as const)("sends all responses of a pipeline %s", async (_what, waiting, closes) => {
    let runs = 0;
    const finish = Promise.withResolvers<void>();
    await using served = await serve(host, async () => {
      runs += 1;
      if (runs <= waiting) await finish.promise;
      return "finished";
    });
    const socket = dial(served.url);
    socket.write("GET /items/1 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3));
    await vi.waitUntil(() => runs === 3);
    const drained = drain(served.server, { shutdownTimeout: "10s" });
    finish.resolve();
    const answers = (await text(socket)).split(/(?=HTTP\/1\.1 )/);

    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(["200", "200", "200"]);
    expect(answers.map((answer) => /connection: close/i.test(answer))).toEqual(closes);
    await drained;
  });

  it.runIf(host.protocol === "http/1.1").each(["upgrade", "connect"] as const)(
    "ends connections of the event %s, also if no ordinary request came before",
    async (event) => {
      await using served = await serve(host, () => "ok");
      const upgraded = Promise.withResolvers<Duplex>();
      const server = served.server as http.Server;
      server.on(event, (_req, socket) => upgraded.resolve(socket));
      const socket = dial(served.url);
      socket.write(UPGRADES[event]);
      const serverSide = await upgraded.promise;
      serverSide.write("upgraded");
      const from = performance.now();
      const drained = drain(server, { shutdownTimeout: "30s" });

      expect(await text(socket)).toBe("upgraded");
      await drained;
      // Ended, not destroyed.
      expect(serverSide.writableEnded).toBe(true);
      expect(performance.now() - from).toBeLessThan(2000);
    },
  );

  it.runIf(host.protocol === "http/1.1" && !host.isSecure)(
    "answers 503 to new requests on open connections without running them",
    async () => {
      let runs = 0;
      const finish = Promise.withResolvers<void>();
      await using served = await serve(host, async () => {
        runs += 1;
        await finish.promise;
        return "finished";
      });
      // Waits for the running request on the same connection, so it is read during the drain.
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const get = (): Promise<http.IncomingMessage> =>
        new Promise((resolve, reject) => http.get(served.url, { agent }, resolve).on("error", reject));
      const first = get();
      await vi.waitUntil(() => runs === 1);
      const drained = drain(served.server, { shutdownTimeout: "10s" });
      const second = get();
      finish.resolve();

      (await first).resume();
      // It is refused, or the connection is closed first. It has not run in either case.
      const outcome = await second.then(
        (response) => (
          response.resume(),
          [response.statusCode, response.headers["throughline-outcome"], response.headers.connection]
        ),
        (error: NodeJS.ErrnoException) => error.code,
      );
      expect([[503, "draining;started=?0", "close"], "ECONNREFUSED", "ECONNRESET"]).toContainEqual(outcome);
      expect(runs).toBe(1);
      agent.destroy();
      await drained;
    },
  );
});

describe("drain", () => {
  it("answers 503 to new streams of an open HTTP/2 session", async () => {
    const host = hosts.find(({ name }) => name === "node:http2")!;
    const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using served = await serve(host, async () => (begun.resolve(), await finish.promise, "finished"));
    const session = http2.connect(new URL(served.url).origin);
    const request = (): Promise<number | undefined> =>
      new Promise((resolve) => {
        const stream = session.request({ ":path": "/items/1" });
        stream.on("response", (headers) => resolve(headers[":status"])).on("error", () => resolve(undefined));
        stream.resume();
      });
    const first = request();
    await begun.promise;
    // Sent before the client receives GOAWAY.
    const drained = drain(served.server, { shutdownTimeout: "10s" });
    const second = request();
    finish.resolve();

    expect(await first).toBe(200);
    expect([503, undefined]).toContain(await second);
    session.close();
    await drained;
  });

  it("resolves at once for a server that does not listen, and works again after it listens", async () => {
    const server = http.createServer();
    await drain(server, { shutdownTimeout: 0 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const drained = drain(server, { shutdownTimeout: 0 });
    expect(drain(server, { shutdownTimeout: 0 })).toBe(drained);
    await drained;
    expect(server.listening).toBe(false);
  });

  it.each(["http/1.1", "http/2"] as const)(
    "drains a %s server that does not listen and serves connections that another passes to it",
    async (protocol) => {
      const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const host = hosts.find((each) => each.protocol === protocol && each.name.startsWith("node:"))!;
      const { listener } = host.listener(async () => (begun.resolve(), await finish.promise, "finished"), {});
      const server = protocol === "http/2" ? http2.createServer() : http.createServer();
      server.on("request", listener as http.RequestListener);
      await using other = await forwardTo({ server, url: "http://127.0.0.1/items/1" });
      const { reply } = send(protocol, other.url);
      await begun.promise;
      const drained = drain(server, { shutdownTimeout: "10s" });
      const isDone = vi.fn();
      void drained.then(isDone);
      await new Promise((resolve) => setTimeout(resolve, 20));

      expect(isDone).not.toHaveBeenCalled();
      finish.resolve();
      expect((await reply).body).toBe("finished");
      await drained;
    },
  );

  it("does not wait for connections that are idle, have sent nothing or were upgraded", async () => {
    const server = http.createServer({ keepAliveTimeout: 60_000 }, (_req, res) => void res.end("ok"));
    const upgraded = Promise.withResolvers<Duplex>();
    server.on("upgrade", (_req, socket) => upgraded.resolve(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const sockets = [
      "",
      "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ].map((text) => {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      socket.write(text);
      return socket;
    });
    const serverSide = await upgraded.promise;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const from = performance.now();
    await drain(server, { shutdownTimeout: "30s" });

    expect(performance.now() - from).toBeLessThan(2000);
    for (const socket of [...sockets, serverSide]) socket.destroy();
  });

  it("runs no request with expect: 100-continue and no upgrade", async () => {
    const server = http.createServer((_req, res) => setTimeout(() => res.end("ok"), 100));
    const ran = vi.fn();
    server.on("checkContinue", ran).on("upgrade", ran).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const open = (): Promise<Socket> =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () => resolve(socket));
        socket.on("error", () => {});
      });
    const sockets = await Promise.all([open(), open()]);
    const drained = drain(server, { shutdownTimeout: "5s" });
    sockets[0]!.write("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n");
    sockets[1]!.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    await drained;
    expect(ran).not.toHaveBeenCalled();
  });

  it.each([
    [{}, { shutdownTimeout: 1 }, /it must be one of node:http or node:http2/],
    [http.createServer(), { shutdownTimeout: "soon" }, /'shutdownTimeout' must be zero or more/],
    [http.createServer(), { shutdownTimeout: 1, force: true }, /there is no option 'force'/],
  ])("throws for an invalid server or option", (server, options, message) => {
    expect(() => drain(server as never, options as never)).toThrow(message);
  });
});
