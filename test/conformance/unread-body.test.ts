import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Readable, Writable } from "node:stream";

import { requestContext } from "@throughline/http";
import { describe, expect, it, vi } from "vitest";

import { type Handler, hosts, type Received } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { dial } from "../support/http-client.ts";
import { ResponseReader } from "../support/response-reader.ts";

const SIZE = 200_000;
const never = new Promise<never>(() => {});

/** Ways in which handlers leave a body unread. */
const waysToStop: readonly [how: string, read: (received: Received) => unknown][] = [
  [
    "into a sink that never accepts a chunk",
    ({ body }) => {
      const stream = body()!;
      if (stream instanceof Readable) stream.pipe(new Writable({ highWaterMark: 1, write() {} }));
      else stream.pipeTo(new WritableStream({ write: () => never })).catch(() => {});
    },
  ],
  [
    "and paused it",
    ({ body }) => {
      const stream = body()!;
      if (stream instanceof Readable) stream.on("error", () => {}).on("data", () => stream.pause());
      else
        stream
          .getReader()
          .read()
          .catch(() => {});
    },
  ],
  [
    "and waits forever after a chunk",
    async ({ body }) => {
      for await (const _chunk of body() as AsyncIterable<unknown>) await never;
    },
  ],
  ["not at all", () => {}],
];

/** Ways to read part of a body, wait, and continue. */
const waysToGoOn: readonly [how: string, read: (received: Received, until: Promise<void>) => Promise<void>][] = [
  [
    "with for await",
    async ({ body }, until) => {
      for await (const _chunk of body() as AsyncIterable<unknown>) await until;
    },
  ],
  [
    "in a pipe",
    async ({ body }, until) => {
      const stream = body()!;
      if (!(stream instanceof Readable)) return stream.pipeTo(new WritableStream({ write: () => until }));
      const sink = new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, done) => void until.then(() => done()),
      });
      stream.pipe(sink);
      await new Promise<void>((resolve, reject) => {
        sink.on("finish", resolve);
        stream.on("error", reject);
      });
    },
  ],
];

describe.each(hosts)("on $name, after the deadline of a handler was answered", (host) => {
  const { serving, servingWith } = serveOn(host);
  const isHttp1 = host.protocol === "http/1.1";

  /** Leaves the body unread if the request has `x-leave`; otherwise responds with the size of the body. */
  const leaving =
    (read: (received: Received) => unknown): Handler =>
    async (received) => {
      if (!("x-leave" in received.headers())) return `${(await received.text()).length}`;
      await read(received);
      return never;
    };

  it.runIf(isHttp1).each(waysToStop)(
    "that read the body %s, the connection serves the next request or is closed",
    async (_how, read) => {
      const socket = dial(await serving(leaving(read)));
      const [reader, statuses] = [new ResponseReader(), [] as number[]];
      socket.on("data", (chunk: Buffer) => {
        for (let count = reader.read(chunk); count > 0; count--) statuses.push(reader.status);
      });
      socket.write(
        `POST /items/1 HTTP/1.1\r\nHost: x\r\nx-leave: 1\r\ngrpc-timeout: 50m\r\ncontent-length: ${SIZE}\r\n\r\n${"x".repeat(SIZE)}`,
      );
      await vi.waitUntil(() => statuses.length > 0);
      expect(statuses[0]).toBe(504);
      socket.write("GET /items/2 HTTP/1.1\r\nHost: x\r\n\r\n");

      await vi.waitUntil(() => statuses.length === 2 || socket.destroyed, { timeout: 3000 });
      if (!reader.isLast) expect(statuses).toEqual([504, 200]);
      socket.destroy();
    },
  );

  it.runIf(!isHttp1).each(waysToStop)(
    "that read the body %s, its connection accepts other uploads",
    async (_how, read) => {
      const { origin, pathname } = new URL(await serving(leaving(read)));
      const session = http2.connect(origin, { rejectUnauthorized: false });
      async function upload(headers: Record<string, string>, size: number, isWhole: boolean): Promise<unknown[]> {
        const stream = session.request({ ":method": "POST", ":path": pathname, ...headers }, { endStream: false });
        stream.on("error", () => {});
        if (isWhole) stream.end("x".repeat(size));
        else stream.write("x".repeat(size));
        const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
        // Iteration would fail if the reset arrives together with the end of a complete response.
        let text = "";
        stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        await once(stream, "end");
        // The request body may not have ended.
        if (!stream.destroyed) await once(stream, "close");
        return [head[":status"], head[":status"] === 200 ? text : undefined];
      }
      const late = await Promise.all(
        // Together they exceed the flow-control window of the connection.
        [0, 1, 2, 3].map(() => upload({ "x-leave": "1", "grpc-timeout": "50m" }, 50_000, false)),
      );
      expect(late).toEqual(Array.from({ length: 4 }, () => [504, undefined]));

      expect(await upload({}, SIZE, true)).toEqual([200, String(SIZE)]);
      session.destroy();
    },
  );

  it.each(waysToGoOn)(
    "that continues to read later %s, an incomplete body does not end as if it were complete",
    async (_how, read) => {
      const [later, over] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
      const errors: unknown[] = [];
      const url = await servingWith(
        async (received) => {
          const reading = read(received, later.promise);
          reading.then(
            () => over.resolve("complete"),
            () => over.resolve("failed"),
          );
          await reading;
          return "too late";
        },
        { onError: (error) => void errors.push(error) },
      );
      expect(await halfAnUpload(host.protocol, url)).toBe(504);
      later.resolve();

      expect(await over.promise).toBe("failed");
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(errors).toEqual([]);
    },
  );
});

/** Sends half of a body and returns the status. */
async function halfAnUpload(protocol: "http/1.1" | "http/2", url: string): Promise<number> {
  if (protocol === "http/1.1") {
    const socket = dial(url);
    socket.write(
      `POST /items/1 HTTP/1.1\r\nHost: x\r\ngrpc-timeout: 50m\r\ncontent-length: ${SIZE}\r\n\r\n${"x".repeat(SIZE / 2)}`,
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    return Number(answer.toString().split(" ", 2)[1]);
  }
  const { origin, pathname } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false }).on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": pathname, "grpc-timeout": "50m" }, { endStream: false });
  stream.on("error", () => {}).write("x".repeat(SIZE / 2));
  const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  stream.resume();
  return head[":status"]!;
}

it("a complete body that a handler has paused does not block the next request", async () => {
  const listener = requestContext((req: IncomingMessage, res: ServerResponse) => {
    if (req.method === "GET") res.end("next");
    else req.once("data", () => req.pause());
  });
  // With this small buffer, Node stops reading from the connection.
  const server = http.createServer({ highWaterMark: 16 }, listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = dial(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).setEncoding("utf8");
  let received = "";
  socket.on("data", (chunk: string) => (received += chunk));
  socket.write("POST / HTTP/1.1\r\nHost: x\r\ngrpc-timeout: 50m\r\ntransfer-encoding: chunked\r\n\r\n");
  for (const chunk of ["x", "x".repeat(64), ""]) socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  await vi.waitUntil(() => received.includes("504"));
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");

  await vi.waitUntil(() => received.endsWith("next"));
  socket.destroy();
  server.close();
});
