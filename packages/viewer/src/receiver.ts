import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createGunzip } from "node:zlib";

import { parseTraces } from "./otlp-json.ts";
import type { TraceStore } from "./trace-store.ts";

export interface ReceiverOptions {
  /** @default 4318, OTLP's own; 0 for any that is free */
  port?: number;
  /** @default "127.0.0.1": traces are nobody else's business */
  host?: string;
  /** Longest request in bytes, unpacked. @default 16 MiB */
  maxBytes?: number;
}

/** A running OTLP/HTTP receiver. */
export interface Receiver extends AsyncDisposable {
  /** What to set as OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  close(): Promise<void>;
}

/** Receives traces by OTLP over HTTP, in JSON, and puts them into the store. Rejects if the port cannot be had. */
export async function startReceiver(store: TraceStore, options: ReceiverOptions = {}): Promise<Receiver> {
  const { port = 4318, host = "127.0.0.1", maxBytes = 16 * 1024 * 1024 } = options;
  const server = createServer((req, res) => {
    receive(req, store, maxBytes).then(
      () => answer(res, 200, {}),
      (error: unknown) =>
        answer(res, error instanceof Refused ? error.status : 400, {
          message: error instanceof Error ? error.message : String(error),
        }),
    );
  });
  server.listen(port, host);
  await once(server, "listening");
  const { port: actual } = server.address() as AddressInfo;
  const close = (): Promise<void> => closeServer(server);
  return { url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}`, close, [Symbol.asyncDispose]: close };
}

/** A request that is not taken, with the status to say so. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function receive(req: IncomingMessage, store: TraceStore, maxBytes: number): Promise<void> {
  if (req.url !== "/v1/traces")
    throw new Refused(404, `Cannot receive ${req.url}: only traces are taken, at /v1/traces`);
  if (req.method !== "POST")
    throw new Refused(405, `Cannot receive traces: the method must be POST: current value is ${req.method}`);
  const type = (req.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Refused(
      415,
      `Cannot receive traces: content-type must be application/json (set OTEL_EXPORTER_OTLP_PROTOCOL=http/json): current value is ${type}`,
    );
  }
  store.add(parseTraces(await text(req, maxBytes)));
}

async function text(req: IncomingMessage, maxBytes: number): Promise<string> {
  const encoding = (req.headers["content-encoding"] ?? "identity").toLowerCase();
  if (encoding !== "gzip" && encoding !== "identity") {
    throw new Refused(
      415,
      `Cannot receive traces: content-encoding must be gzip or none: current value is ${encoding}`,
    );
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of encoding === "gzip" ? unpacked(req) : req) {
    length += chunk.length;
    if (length > maxBytes)
      throw new Refused(413, `Cannot receive traces: a request may have ${maxBytes} bytes at most`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Not a pipeline: that would destroy the request, and with it the answer to it. */
function unpacked(req: IncomingMessage): AsyncIterable<Buffer> {
  const gunzip = createGunzip();
  req.once("close", () => {
    if (!req.complete) gunzip.destroy(new Error("the upload was broken off"));
  });
  return req.pipe(gunzip);
}

function answer(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, {
    "content-type": "application/json",
    ...(status === 413 ? { connection: "close" } : undefined),
  });
  res.end(JSON.stringify(body));
}

async function closeServer(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  if (server.listening) await once(server, "close");
}
