import { EventEmitter, once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";

import { current } from "@throughline/context";
import { describe, expect, it, vi } from "vitest";

import { requestContext, streamContext } from "./request-context.ts";

/** Uses a response after it was answered in place of its handler. */
type Late = (response: object) => void;

/** All that a client receives. */
type Transcript = unknown;

/** Calls `late` when the answer is passed to Node, and again when it was sent. */
function callLate(response: EventEmitter, late: Late): void {
  current().signal.addEventListener("abort", () => {
    late(response);
    response.once("close", () => late(response));
  });
}

const OPTIONS = { maxTimeout: 15 };

async function listening(server: http.Server | http2.Http2Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function overHttp1(late: Late): Promise<Transcript> {
  const listener = requestContext(
    (_req: http.IncomingMessage, res: http.ServerResponse) => callLate(res, late),
    OPTIONS,
  );
  const server = http.createServer((req, res) => (req.url === "/next" ? void res.end("next") : listener(req, res)));
  const socket = connect(await listening(server), "127.0.0.1");
  // The next response would follow after anything that is written late.
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "readable");
  await new Promise((resolve) => setTimeout(resolve, 5));
  socket.write("GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  const all = await text(socket);
  server.close();
  // The elapsed time may have one digit or two.
  return all.replaceAll(/(?:date|content-length): .*/gi, "").replaceAll(/"elapsedMs":\d+/g, "");
}

const overHttp2 =
  (listen: (server: http2.Http2Server, late: Late) => void) =>
  async (late: Late): Promise<Transcript> => {
    const server = http2.createServer();
    listen(server, late);
    const session = http2.connect(`http://127.0.0.1:${await listening(server)}`);
    const events: unknown[] = [];
    session.on("stream", () => events.push("push"));
    const stream = session.request({ ":path": "/" });
    for (const event of ["headers", "response", "trailers", "aborted", "error"]) {
      stream.on(event, (...args: unknown[]) => events.push([event, plain(args)]));
    }
    const body = text(stream).catch((error: Error) => error.message);
    await once(stream, "close");
    // When the ping returns, all data that was written before has arrived.
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    const { rstCode } = stream;
    session.destroy();
    server.close();
    return [events, (await body).replaceAll(/"elapsedMs":\d+/g, ""), rstCode];
  };

function plain([head]: unknown[]): unknown {
  if (head instanceof Error) return head.message;
  const { date, "content-length": _length, ...rest } = (head ?? {}) as Record<string, unknown>;
  return { ...rest, date: date !== undefined };
}

type Calls = Record<string, readonly unknown[]>;

const HEADERS: Calls = {
  setHeader: ["x-late", "1"],
  appendHeader: ["x-late", "1"],
  removeHeader: ["content-type"],
  flushHeaders: [],
  writeHead: [200, { "x-late": "1" }],
  addTrailers: [{ "x-late": "1" }],
  write: ["late"],
  end: ["late"],
  destroy: [new Error("late")],
};

/** The methods of each kind of response that send something, or end the sending, with arguments for them. */
const KINDS: Record<string, { prototype: object; calls: Calls; answered(late: Late): Promise<Transcript> }> = {
  ServerResponse: {
    prototype: http.ServerResponse.prototype,
    answered: overHttp1,
    calls: {
      ...HEADERS,
      setHeaders: [new Map([["x-late", "1"]])],
      writeHeader: [200, { "x-late": "1" }],
      writeContinue: [],
      writeProcessing: [],
      writeEarlyHints: [{ link: "</a.css>; rel=preload" }],
      writeInformation: [103, { "x-late": "1" }],
    },
  },
  Http2ServerResponse: {
    prototype: http2.Http2ServerResponse.prototype,
    answered: overHttp2((server, late) => {
      server.on("request", requestContext((_req, res) => callLate(res, late), OPTIONS) as http.RequestListener);
    }),
    calls: {
      ...HEADERS,
      setTrailer: ["x-late", "1"],
      writeContinue: [],
      writeEarlyHints: [{ link: "</a.css>; rel=preload" }],
      writeInformation: [103, { "x-late": "1" }],
      createPushResponse: [{ ":path": "/a.css" }],
    },
  },
  ServerHttp2Stream: {
    prototype: Object.getPrototypeOf(await streamOfHttp2()) as object,
    answered: overHttp2((server, late) => {
      server.on(
        "stream",
        streamContext((stream) => callLate(stream, late), OPTIONS),
      );
    }),
    calls: {
      respond: [{ ":status": 200 }],
      respondWithFile: [import.meta.filename],
      respondWithFD: [0],
      additionalHeaders: [{ ":status": 103 }],
      sendTrailers: [{ "x-late": "1" }],
      pushStream: [{ ":path": "/a.css" }],
      write: ["late"],
      end: ["late"],
      destroy: [new Error("late")],
      close: [http2.constants.NGHTTP2_CANCEL],
    },
  },
};

/** An instance of the class that Node does not export. */
async function streamOfHttp2(): Promise<http2.ServerHttp2Stream> {
  const server = http2.createServer((_req, res) => void res.end());
  const session = http2.connect(`http://127.0.0.1:${await listening(server)}`);
  session.request().resume();
  const [stream] = (await once(server, "stream")) as [http2.ServerHttp2Stream];
  session.destroy();
  server.close();
  return stream;
}

/** Methods that do not affect what is sent. */
const HARMLESS = new Set(
  [
    "constructor pipe cork uncork setTimeout setDefaultEncoding eventNames priority",
    "getHeader getHeaderNames getRawHeaderNames getHeaders hasHeader",
    // Node's own server assigns a response to its connection with these.
    "assignSocket detachSocket",
  ].flatMap((names) => names.split(" ")),
);

/** The methods of a response class and its base classes, without those of `Duplex` and `EventEmitter`. */
function methodsOf(prototype: object): string[] {
  const names = new Set<string>();
  for (
    let each = prototype;
    each !== Duplex.prototype && each !== EventEmitter.prototype && each !== Object.prototype;
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(each))) {
      if (typeof value === "function" && !name.startsWith("_")) names.add(name);
    }
    each = Object.getPrototypeOf(each) as object;
  }
  return [...names];
}

describe.each(Object.entries(KINDS))(
  "a %s that was answered at its deadline",
  (_kind, { prototype, calls, answered }) => {
    it("has no method that this test does not list", () => {
      expect(methodsOf(prototype).filter((name) => !HARMLESS.has(name) && !(name in calls))).toEqual([]);
    });

    const known = Object.keys(calls).filter((name) => name in prototype);

    it.each(known)("a late call of %s sends nothing, throws nothing, and calls back", async (name) => {
      const nothing = await answered(() => {});
      const callback = vi.fn();
      const failed = vi.fn();
      const late: Late = (response) => {
        try {
          (response as Record<string, (...args: unknown[]) => unknown>)[name]!(...calls[name]!, callback);
        } catch (error) {
          failed(error);
        }
      };

      expect(await answered(late)).toEqual(nothing);
      expect(failed.mock.calls).toEqual([]);
      if (takesCallback(name)) expect(callback.mock.calls.length).toBeGreaterThanOrEqual(1);
    });
  },
);

function takesCallback(name: string): boolean {
  return [
    "write",
    "end",
    "writeContinue",
    "writeProcessing",
    "writeEarlyHints",
    "createPushResponse",
    "pushStream",
  ].includes(name);
}

it.each<[string, (session: http2.ClientHttp2Session, stream: http2.ClientHttp2Stream) => void]>([
  ["the connection is lost", (session) => session.destroy()],
  ["the client resets it", (_session, stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
])("a stream whose answer cannot be sent is closed when %s", async (_how, leave) => {
  const server = http2.createServer();
  const answered = Promise.withResolvers<http2.ServerHttp2Stream>();
  const listener = streamContext((stream) => callLate(stream, () => answered.resolve(stream)), OPTIONS);
  server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    void listener(stream, headers, 0, []);
  });
  const session = http2.connect(`http://127.0.0.1:${await listening(server)}`, { settings: { initialWindowSize: 0 } });
  const stream = session.request().on("error", () => {});
  const response = once(stream, "response");
  const theirs = await answered.promise;
  await response;
  const closed = once(theirs, "close");
  leave(session, stream);

  await closed;
  session.destroy();
  server.close();
});

it("the response to a HEAD on a stream ends with its head", async () => {
  const server = http2.createServer().on(
    "stream",
    streamContext(() => {}, OPTIONS),
  );
  const session = http2.connect(`http://127.0.0.1:${await listening(server)}`);
  const stream = session.request({ ":method": "HEAD" }).resume();
  const [head] = (await once(stream, "response")) as [http2.IncomingHttpStatusHeader];
  await once(stream, "close");
  session.destroy();
  server.close();

  // A body would emit an error on the server's stream, which has no listener for it.
  expect([head[":status"], stream.rstCode]).toEqual([504, http2.constants.NGHTTP2_NO_ERROR]);
});
