import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { SpanFile } from "../store/span-file.ts";
import { type StoreLimits, TraceStore } from "../store/trace-store.ts";
import { answerApi } from "./api-server.ts";
import { Changes } from "./changes.ts";
import { hostName, refuseStrangers } from "./local-only.ts";
import { receiveOtlp } from "./otlp-receiver.ts";
import { Page } from "./page.ts";
import { Refused } from "./refused.ts";

export interface ViewerOptions extends StoreLimits {
  /** @default 4318, OTLP's own; 0 for any that is free */
  port?: number;
  /** @default "127.0.0.1": traces are nobody else's business */
  host?: string;
  /** Names that it may be reached by, besides those of loopback. */
  allowHosts?: readonly string[];
  /** A file of SQLite that keeps what is in the store: made if there is none. */
  db?: string;
  /** Longest request in bytes, unpacked. @default 16 MiB */
  maxRequestBytes?: number;
  /** Folder of the built page. @default the one in this package */
  page?: string;
}

/** A running viewer. */
export interface Viewer extends AsyncDisposable {
  /** The page's address, and what to set as OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly store: TraceStore;
  /** Stops at once. A second call gives the same promise. */
  close(): Promise<void>;
}

const BUILT = fileURLToPath(new URL("../../dist/web", import.meta.url));

/**
 * Receives traces by OTLP over HTTP, and shows them on a page.
 *
 * @throws RangeError if a limit is none
 * @throws Error if the port cannot be had, or the file of `db` not be used
 */
export async function startViewer(options: ViewerOptions = {}): Promise<Viewer> {
  const { port = 4318, host = "127.0.0.1", allowHosts = [], maxRequestBytes = 16 * 1024 * 1024 } = options;
  const { db, page: folder = BUILT, maxSpans, maxBytes } = options;
  const store = new TraceStore({
    ...(maxSpans === undefined ? undefined : { maxSpans }),
    ...(maxBytes === undefined ? undefined : { maxBytes }),
  });
  const page = existsSync(folder) ? new Page(folder) : undefined;
  const changes = new Changes();
  const hosts = [host, ...allowHosts].map(hostName);

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    refuseStrangers(req, hosts);
    const url = URL.parse(req.url ?? "/", "http://viewer");
    if (url === null) throw new Refused(400, `Cannot read the address: it is no URL; received ${req.url}`);
    const received = receiveOtlp(req, res, url.pathname, maxRequestBytes, (spans) => store.add(spans));
    if (received !== undefined) return received;
    if (req.method !== "GET" && req.method !== "HEAD") {
      throw new Refused(405, `Cannot answer ${url.pathname}: the method must be GET; received ${req.method}`);
    }
    // A stream of events has no head alone.
    if (req.method === "HEAD" && url.pathname === "/api/changes") return void res.end();
    if (answerApi(url, res, store, changes) || page?.serve(url.pathname, res) === true) return;
    throw new Refused(404, `Cannot find ${url.pathname}: traces are received at /v1/traces, and shown at /`);
  }

  const server = createServer((req, res) => {
    res.setHeader("x-content-type-options", "nosniff");
    res.setHeader("cross-origin-resource-policy", "same-origin");
    serve(req, res).catch((error: unknown) => refuse(res, error));
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

function refuse(res: ServerResponse, error: unknown): void {
  if (res.headersSent) return void res.destroy();
  const message = error instanceof Error ? error.message : String(error);
  res.writeHead(error instanceof Refused ? error.status : 500, { "content-type": "application/json" });
  res.end(JSON.stringify({ message }));
}

async function closeServer(server: Server, changes: Changes): Promise<void> {
  changes.close();
  server.close();
  server.closeAllConnections();
  if (server.listening) await once(server, "close");
}
