import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { connect, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { connect as connectTls } from "node:tls";

/** A complete response. */
export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  json(): Record<string, unknown>;
}

/** A request that was sent. */
export interface Sent {
  readonly reply: Promise<Reply>;
  /** The request body; write to it after a POST. */
  readonly body: Writable;
  /** Abandons the request: HTTP/1 closes the connection, HTTP/2 resets the stream. */
  leave(): void;
  /** Destroys the connection. */
  drop(): void;
}

type Headers = Record<string, string | string[]>;
type Protocol = "http/1.1" | "http/2";

export interface SendOptions {
  readonly method?: "GET" | "HEAD" | "POST";
  /** Never reads the response body. */
  readonly isPaused?: boolean;
  /** Reads the response body after this. */
  readonly readAfter?: Promise<unknown>;
  /** The client certificate for TLS. */
  readonly certificate?: { readonly key: string; readonly cert: string };
}

/**
 * Sends a request over a new connection. An array sends the header several times. A POST waits until its body is ended.
 */
export function send(protocol: Protocol, url: string, headers: Headers = {}, options: SendOptions = {}): Sent {
  return protocol === "http/2" ? sendHttp2(url, headers, options) : sendHttp1(url, headers, options);
}

function sendHttp1(url: string, headers: Headers, { method = "GET", certificate, ...how }: SendOptions): Sent {
  const client = url.startsWith("https:") ? https : http;
  const request = client.request(url, { method, headers, agent: false, rejectUnauthorized: false, ...certificate });
  async function read(): Promise<Reply> {
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return readReply(response.statusCode!, response.headers, response, how);
  }
  if (method === "POST") request.flushHeaders();
  else request.end();
  return { reply: read(), body: request, leave: () => request.destroy(), drop: () => request.destroy() };
}

function sendHttp2(url: string, headers: Headers, { method = "GET", certificate, ...how }: SendOptions): Sent {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false, ...certificate });
  // The streams report the same error.
  session.on("error", () => {});
  // `close` would end the body first, as if it were complete.
  const leaving = new AbortController();
  const stream = session.request(
    { ":path": pathname + search, ":method": method, ...headers },
    { endStream: method !== "POST", signal: leaving.signal },
  );
  stream.on("error", () => {});
  async function read(): Promise<Reply> {
    try {
      const closed = once(stream, "close").then(() =>
        Promise.reject(new Error("the stream was closed without a response")),
      );
      const [head] = (await Promise.race([once(stream, "response"), closed])) as [
        http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
      ];
      closed.catch(() => {});
      return await readReply(head[":status"]!, head, stream, how);
    } finally {
      session.close();
    }
  }
  function leave(): void {
    leaving.abort();
    session.close();
  }
  return { reply: read(), body: stream, leave, drop: () => session.destroy() };
}

async function readReply(
  status: number,
  headers: Reply["headers"],
  body: Readable,
  { isPaused, readAfter }: Pick<SendOptions, "isPaused" | "readAfter">,
): Promise<Reply> {
  if (isPaused) await once(body, "close");
  await readAfter;
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return { status, headers, body: text, json: () => JSON.parse(text) as Record<string, unknown> };
}

/** Header lines, written as they are. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

/** The status of a response, and its head and body in one text. */
export interface RawResponse {
  readonly status: number;
  readonly answer: string;
}

/** Sends a GET request with these header lines, valid or not. */
export async function sendRaw(protocol: "http/1.1" | "http/2", url: string, lines: HeaderLines): Promise<RawResponse> {
  return protocol === "http/2" ? sendRawHttp2(url, lines) : sendRawHttp1(url, lines);
}

async function sendRawHttp1(url: string, lines: HeaderLines): Promise<RawResponse> {
  const { pathname, search, host } = new URL(url);
  const head = [`GET ${pathname}${search} HTTP/1.1`, `host: ${host}`, "connection: close"];
  const socket = dial(url);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const request = [...head, ...lines.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  socket.write(Buffer.from(request, "latin1"));
  await once(socket, "close");
  const answer = Buffer.concat(chunks).toString();
  return { status: Number(answer.split(" ", 2)[1]), answer };
}

async function sendRawHttp2(url: string, lines: HeaderLines): Promise<RawResponse> {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false });
  const headers: Record<string, string[]> = {};
  for (const [name, value] of lines) (headers[name.toLowerCase()] ??= []).push(value);
  try {
    const stream = session.request({ ":path": pathname + search, ...headers }).setEncoding("utf8");
    const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
    const answer = (await stream.toArray()).join("");
    return { status: head[":status"]!, answer: `${head["content-type"]}\n${answer}` };
  } finally {
    session.close();
  }
}

/** Opens a socket to the server of this URL, for requests that no HTTP client would send. */
export function dial(url: string): Socket {
  const { port, hostname, protocol } = new URL(url);
  const to = { port: Number(port), host: hostname };
  const socket = protocol === "https:" ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
  return socket.on("error", () => {});
}
