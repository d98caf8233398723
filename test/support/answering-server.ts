import type http from "node:http";
import zlib from "node:zlib";

import { serve } from "./loopback.ts";

/** Two origins. The path of a request selects one of the responses that an HTTP client must handle. */
export interface AnsweringServers {
  readonly here: string;
  readonly elsewhere: string;
}

type Answer = (request: Received, res: http.ServerResponse) => unknown;

interface Received {
  readonly req: http.IncomingMessage;
  readonly query: URLSearchParams;
  readonly body: string;
}

const TEXT = "hello world";

const ENCODED: Readonly<Record<string, Buffer>> = {
  gzip: zlib.gzipSync(TEXT),
  "x-gzip": zlib.gzipSync(TEXT),
  br: zlib.brotliCompressSync(TEXT),
  deflate: zlib.deflateSync(TEXT),
  zstd: zlib.zstdCompressSync(TEXT),
  "gzip, gzip": zlib.gzipSync(zlib.gzipSync(TEXT)),
  "gzip, br": zlib.brotliCompressSync(zlib.gzipSync(TEXT)),
  snappy: Buffer.from(TEXT),
};

/** Headers that may differ between two equal calls: those of the connection, and the remaining time. */
const OWN_TO_A_CALL = new Set(["grpc-timeout", "host", "connection"]);

/** Responds with the request, its headers in their order. Multipart boundaries are random, so they are replaced. */
function echo({ req, body }: Received, res: http.ServerResponse): void {
  const headers: string[] = [];
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    const name = req.rawHeaders[index]!;
    if (!OWN_TO_A_CALL.has(name.toLowerCase())) headers.push(`${name}: ${req.rawHeaders[index + 1]}`);
  }
  const received = { method: req.method, url: req.url, headers, body };
  res.writeHead(200, { "content-type": "application/json", "set-cookie": ["a=1", "b=2"], "x-twice": ["1", "2"] });
  res.end(JSON.stringify(received, undefined, 1).replaceAll(/formdata-undici-\d+|-{4,}[\w-]+/g, "BOUNDARY"));
}

function redirect(res: http.ServerResponse, status: number, location: string): void {
  res.writeHead(status, { location }).end("moved");
}

/**
 * Sends the first part of a body and continues after 30 ms, when the client has probably received it. A reset before
 * that would discard the part with the connection.
 */
function begin(res: http.ServerResponse, headers: http.OutgoingHttpHeaders, then: () => void): void {
  res.writeHead(200, headers);
  res.write("beginning", () => setTimeout(then, 30));
}

const answers: Readonly<Record<string, Answer>> = {
  "/echo": echo,
  "/status": ({ query }, res) => void res.writeHead(Number(query.get("is")), "Own Reason", { "x-a": "é" }).end(),
  "/encoded": ({ query }, res) => {
    const encoding = query.get("as")!;
    res.writeHead(200, { "content-encoding": encoding }).end(ENCODED[encoding]);
  },
  "/no-gzip": (_request, res) => void res.writeHead(200, { "content-encoding": "gzip" }).end("not gzip"),
  "/half-gzip": (_request, res) =>
    void res.writeHead(200, { "content-encoding": "gzip" }).end(ENCODED["gzip"]!.subarray(0, 20)),
  "/empty-gzip": (_request, res) => void res.writeHead(200, { "content-encoding": "gzip", "content-length": 0 }).end(),
  "/too-short": ({ req }, res) => begin(res, { "content-length": 50 }, () => req.socket.destroy()),
  "/closed": ({ req }) => req.socket.destroy(),
  "/reset": ({ req }, res) => begin(res, {}, () => req.socket.resetAndDestroy()),
  "/begun": (_request, res) => begin(res, {}, () => {}),
  "/in-two": (_request, res) => begin(res, {}, () => res.end(" and end")),
  "/empty": (_request, res) => void res.writeHead(200).end(),
  "/hints": (_request, res) => {
    res.writeEarlyHints({ link: "</a.css>; rel=preload" });
    res.end("after the hints");
  },
  "/trailers": (_request, res) => {
    res.writeHead(200, { trailer: "x-after" });
    res.write("body");
    res.addTrailers({ "x-after": "1" });
    res.end();
  },
  "/form": (_request, res) =>
    void res.writeHead(200, { "content-type": "application/x-www-form-urlencoded" }).end("a=1&b=2"),
  "/multipart": (_request, res) =>
    void res
      .writeHead(200, { "content-type": "multipart/form-data; boundary=zz" })
      .end('--zz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--zz--\r\n'),
  "/bom": (_request, res) => void res.writeHead(200, { "content-type": "application/json" }).end('\uFEFF{"a":1}'),
  "/no-json": (_request, res) => void res.end("{nope"),
  "/redirect": ({ query }, res) => redirect(res, Number(query.get("is") ?? 302), query.get("to") ?? "/echo"),
  "/nowhere": (_request, res) => void res.writeHead(302).end("no location"),
  "/circle": (_request, res) => redirect(res, 302, "/circle"),
  "/hops": ({ query }, res) => {
    const left = Number(query.get("left"));
    if (left === 0) res.end("landed");
    else redirect(res, 302, `/hops?left=${left - 1}`);
  },
  "/refresh": (_request, res) => void res.writeHead(200, { refresh: "0; url=/echo" }).end("refresh"),
};

/** Serves both origins until the test ends. */
export async function serveAnswers(): Promise<AnsweringServers> {
  const listener: http.RequestListener = async (req, res) => {
    const { pathname, searchParams } = new URL(req.url!, "http://server");
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of req) chunks.push(chunk as Buffer);
    } catch {
      return; // The client disconnected during its body.
    }
    const answer =
      answers[pathname] ?? ((_request: Received, to: http.ServerResponse) => to.writeHead(404).end("no such path"));
    answer({ req, query: searchParams, body: Buffer.concat(chunks).toString("latin1") }, res);
  };
  const [here, elsewhere] = [await serve(listener), await serve(listener)];
  return { here: here.url, elsewhere: elsewhere.url };
}
