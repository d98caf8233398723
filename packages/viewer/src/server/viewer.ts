import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import type { RemoteOptions } from "../remote/remote-client.ts";
import { RemoteTraces } from "../remote/remote-traces.ts";
import { SpanFile } from "../store/span-file.ts";
import { type StoreLimits, TraceStore } from "../store/trace-store.ts";
import { answerApi, openFile } from "./api-server.ts";
import { ChangeStream } from "./change-stream.ts";
import { HttpError } from "./http-error.ts";
import { hostName, checkOrigin } from "./origin-check.ts";
import { receiveOtlp, type SpanSink } from "./otlp-receiver.ts";
import { Page } from "./page.ts";
import { Refusals } from "./refusals.ts";

export interface ViewerOptions extends StoreLimits {
  /** Port to listen on; 0 for any free port. @default 4318, the port of OTLP */
  port?: number;
  /**
   * Address to listen on. Traces contain private data: listen beyond loopback only in a trusted network. @default
   * "127.0.0.1"
   */
  host?: string;
  /** Accepted names in the `Host` header, besides loopback and `host`. */
  allowHosts?: readonly string[];
  /** Path of a SQLite file that keeps the contents of the store. The viewer creates it if needed. */
  db?: string;
  /** A Tempo or a Jaeger whose traces the page shows too: its base URL, or also headers for its requests. */
  from?: string | RemoteOptions;
  /** Maximum size of an OTLP request in bytes, after decompression. @default 16 MiB */
  maxRequestBytes?: number;
  /** Folder of the built page. @default the page of this package */
  page?: string;
}

/** A running viewer. */
export interface Viewer extends AsyncDisposable {
  /** The address of the page, and the value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly store: TraceStore;
  /** Closes all connections and the file at once. A second call returns the same promise. */
  close(): Promise<void>;
}

const BUILT = fileURLToPath(new URL("../../dist/web", import.meta.url));

/**
 * Starts a server that receives traces by OTLP over HTTP and shows them on a page.
 *
 * @throws RangeError if a limit is not above 0
 * @throws TypeError if a host is not a name or an address, or `from` is not a URL
 * @throws Error if the port is in use, or `db` is not a file of the viewer
 */
export async function startViewer(options: ViewerOptions = {}): Promise<Viewer> {
  const { port = 4318, host = "127.0.0.1", allowHosts = [], maxRequestBytes = 16 * 1024 * 1024 } = options;
  const { db, page: folder = BUILT, maxSpans, maxBytes } = options;
  const store = new TraceStore({
    ...(maxSpans === undefined ? undefined : { maxSpans }),
    ...(maxBytes === undefined ? undefined : { maxBytes }),
  });
  const remote =
    options.from === undefined
      ? undefined
      : new RemoteTraces(typeof options.from === "string" ? { url: options.from } : options.from);
  const page = existsSync(folder) ? new Page(folder) : undefined;
  const changes = new ChangeStream();
  const refusals = new Refusals();
  const sink: SpanSink = {
    add: (spans) => store.add(spans),
    refuse(spans, reason) {
      refusals.add(spans, reason);
      changes.refused(spans);
    },
  };
  const hosts = [host, ...allowHosts].map(hostName);

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    checkOrigin(req, hosts);
    const url = URL.parse(req.url ?? "/", "http://viewer");
    if (url === null) throw new HttpError(400, `Cannot answer: the request target must be a URL; received ${req.url}`);
    const received = receiveOtlp(req, res, url.pathname, maxRequestBytes, sink);
    if (received !== undefined) return received;
    if (url.pathname === "/api/open" && req.method === "POST") return openFile(req, res, store);
    if (req.method !== "GET" && req.method !== "HEAD") {
      throw new HttpError(405, `Cannot answer ${url.pathname}: the method must be GET or HEAD; received ${req.method}`);
    }
    // The event stream would keep a response to HEAD open.
    if (req.method === "HEAD" && url.pathname === "/api/changes") return void res.end();
    if (
      (await answerApi(url, req, res, { store, changes, refusals, remote })) ||
      page?.serve(url.pathname, res) === true
    )
      return;
    throw new HttpError(
      404,
      `Cannot find ${url.pathname}: the viewer receives traces at /v1/traces and shows them at /`,
    );
  }

  const server = createServer((req, res) => {
    res.setHeader("x-content-type-options", "nosniff");
    res.setHeader("cross-origin-resource-policy", "same-origin");
    serve(req, res).catch((error: unknown) => answerError(res, error));
  });
  const file = db === undefined ? undefined : new SpanFile(db);
  file?.restore(store);
  store.observe(changes);
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    file?.close();
    throw error;
  }
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= closeServer(server, changes).then(() => file?.close()));
  return { url: urlOf(server, host), store, close, [Symbol.asyncDispose]: close };
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function answerError(res: ServerResponse, error: unknown): void {
  if (res.headersSent) return void res.destroy();
  const message = error instanceof Error ? error.message : String(error);
  res.writeHead(error instanceof HttpError ? error.status : 500, { "content-type": "application/json" });
  res.end(JSON.stringify({ message }));
}

async function closeServer(server: Server, changes: ChangeStream): Promise<void> {
  changes.close();
  server.close();
  server.closeAllConnections();
  if (server.listening) await once(server, "close");
}
