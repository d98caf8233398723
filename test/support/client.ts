import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { Readable, Writable } from "node:stream";

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  json(): Record<string, unknown>;
}

export interface Sent {
  readonly reply: Promise<Reply>;
  /** Where a body can be written, if there is one to be sent. */
  readonly body: Writable;
  /** Leaves, as a client does that has lost interest: HTTP/1 closes the connection, HTTP/2 resets the stream. */
  leave(): void;
  /** Leaves with its connection. */
  drop(): void;
}

type Headers = Record<string, string | string[]>;
type Protocol = "http/1.1" | "http/2";

export interface SendOptions {
  readonly method?: "GET" | "HEAD" | "POST";
  /** Does not read the answer's body until it is asked to. */
  readonly isPaused?: boolean;
  /** Does not read the answer's body before. */
  readonly readAfter?: Promise<unknown>;
  /** What it proves itself by over TLS. */
  readonly certificate?: { readonly key: string; readonly cert: string };
}

/** Sends a request over a connection of its own. An array sends the header more than once. A POST waits for its body to be ended. */
export function send(protocol: Protocol, url: string, headers: Headers = {}, options: SendOptions = {}): Sent {
  return protocol === "http/2" ? sendHttp2(url, headers, options) : sendHttp1(url, headers, options);
}

function sendHttp1(url: string, headers: Headers, { method = "GET", certificate, ...how }: SendOptions): Sent {
  const client = url.startsWith("https:") ? https : http;
  const request = client.request(url, { method, headers, agent: false, rejectUnauthorized: false, ...certificate });
  async function read(): Promise<Reply> {
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return hostResponseOf(response.statusCode!, response.headers, response, how);
  }
  if (method === "POST") request.flushHeaders();
  else request.end();
  return { reply: read(), body: request, leave: () => request.destroy(), drop: () => request.destroy() };
}

function sendHttp2(url: string, headers: Headers, { method = "GET", certificate, ...how }: SendOptions): Sent {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false, ...certificate });
  // Its streams tell of it too.
  session.on("error", () => {});
  // By `close` the body would be ended first, as if it were whole.
  const leaving = new AbortController();
  const stream = session.request(
    { ":path": pathname + search, ":method": method, ...headers },
    { endStream: method !== "POST", signal: leaving.signal },
  );
  stream.on("error", () => {});
  async function read(): Promise<Reply> {
    try {
      const closed = once(stream, "close").then(() =>
        Promise.reject(new Error("the stream was closed without an answer")),
      );
      const [head] = (await Promise.race([once(stream, "response"), closed])) as [
        http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
      ];
      closed.catch(() => {});
      return await hostResponseOf(head[":status"]!, head, stream, how);
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

async function hostResponseOf(
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
