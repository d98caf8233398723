import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  json(): Record<string, unknown>;
}

export interface Sent {
  readonly reply: Promise<Reply>;
  /** Leaves, as a client does that has lost interest: HTTP/1 closes the connection, HTTP/2 resets the stream. */
  leave(): void;
}

type Headers = Record<string, string | string[]>;

/** Sends a GET over a connection of its own. An array sends the header more than once. */
export function send(protocol: "http/1.1" | "http/2", url: string, headers: Headers = {}): Sent {
  return protocol === "http/2" ? sendHttp2(url, headers) : sendHttp1(url, headers);
}

/** Sends a HEAD, and waits for its answer. */
export async function fetchHead(protocol: "http/1.1" | "http/2", url: string): Promise<void> {
  if (protocol === "http/1.1") {
    await fetch(url, { method: "HEAD" });
    return;
  }
  const { origin, pathname } = new URL(url);
  const session = http2.connect(origin);
  const stream = session.request({ ":method": "HEAD", ":path": pathname });
  await once(stream.resume(), "close");
  session.close();
}

function sendHttp1(url: string, headers: Headers): Sent {
  const request = http.get(url, { headers, agent: false });
  async function read(): Promise<Reply> {
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return replyOf(response.statusCode!, response.headers, response);
  }
  return { reply: read(), leave: () => request.destroy() };
}

function sendHttp2(url: string, headers: Headers): Sent {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin);
  // Its streams tell of it too.
  session.on("error", () => {});
  const stream = session.request({ ":path": pathname + search, ...headers });
  async function read(): Promise<Reply> {
    try {
      const closed = once(stream, "close").then(() =>
        Promise.reject(new Error("the stream was closed without an answer")),
      );
      const [head] = (await Promise.race([once(stream, "response"), closed])) as [
        http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
      ];
      closed.catch(() => {});
      return await replyOf(head[":status"]!, head, stream);
    } finally {
      session.close();
    }
  }
  function leave(): void {
    stream.close(http2.constants.NGHTTP2_CANCEL);
    session.close();
  }
  return { reply: read(), leave };
}

async function replyOf(status: number, headers: Reply["headers"], body: AsyncIterable<Buffer>): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  return { status, headers, body: text, json: () => JSON.parse(text) as Record<string, unknown> };
}
