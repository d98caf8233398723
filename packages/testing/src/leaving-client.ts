import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo, Server } from "node:net";
import type { Readable } from "node:stream";

import type { Duration } from "@throughline/context";
import { callAfter, describeValue, milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";

export interface OpenRequestOptions {
  /** @default "/" */
  path?: string;
  /** @default "GET", or "POST" with a body */
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** @default "http/1.1" */
  protocol?: "http/1.1" | "http/2";
  /** Leaves after this time on the test clock, or in real time without one. @default never */
  leaveAfter?: Duration;
}

/** A response that was received completely. */
export interface ReceivedResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** A request that is being answered. */
export interface OpenRequest {
  /** Rejects if the client leaves, or the connection fails. */
  readonly response: Promise<ReceivedResponse>;
  /** Leaves: closes the connection, or resets the stream of HTTP/2. */
  readonly leave: () => void;
}

/** A listening server, a server that is not listening yet, or a URL. */
export type Target = Server | string | URL;

/**
 * Sends a request over a connection of its own, as a client that can leave before the response. A server that does not
 * listen yet listens on a free port of the loopback interface; the caller closes it.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export async function openRequest(target: Target, options: OpenRequestOptions = {}): Promise<OpenRequest> {
  const action = "open a request";
  const { path = "/", method, headers = {}, body, protocol = "http/1.1", leaveAfter, ...others } = options;
  refuseUnknown(others, action);
  oneOf("protocol", protocol, ["http/1.1", "http/2"], action);
  const ms = leaveAfter === undefined ? undefined : milliseconds(leaveAfter, action, "leaveAfter");
  const url = new URL(path, await originOf(target, action));
  const verb = method ?? (body === undefined ? "GET" : "POST");
  const { response, leave } = protocol === "http/2" ? open2(url, verb, headers, body) : open1(url, verb, headers, body);
  // A test need not look at the response of a client that leaves.
  response.catch(() => {});
  if (ms !== undefined) {
    const stop = callAfter(ms, leave);
    response.then(stop, stop);
  }
  return { response, leave };
}

async function originOf(target: Target, action: string): Promise<string> {
  if (typeof target === "string" || target instanceof URL) return new URL(target).origin;
  if (typeof target?.listen !== "function") {
    throw new TypeError(`Cannot ${action}: the target must be a server or a URL; received ${describeValue(target)}`);
  }
  if (!target.listening) {
    target.listen(0, "127.0.0.1");
    await once(target, "listening");
  }
  const { port } = target.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

function open1(url: URL, method: string, headers: Record<string, string>, body: string | undefined): OpenRequest {
  const request = http.request(url, { method, headers, agent: false });
  const response = new Promise<ReceivedResponse>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (incoming) => {
      read(incoming, incoming.statusCode!, incoming.headers).then(resolve, reject);
    });
  });
  request.end(body);
  return { response, leave: () => void request.destroy(new Error("the client has left")) };
}

function open2(url: URL, method: string, headers: Record<string, string>, body: string | undefined): OpenRequest {
  const session = http2.connect(url.origin);
  const stream = session.request({ ":method": method, ":path": url.pathname + url.search, ...headers });
  const response = new Promise<ReceivedResponse>((resolve, reject) => {
    // The stream fails with the session.
    session.on("error", reject);
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("the stream was closed without a response")));
    stream.on("response", (head) => read(stream, head[":status"]!, head).then(resolve, reject));
  });
  const close = (): void => session.close();
  response.then(close, close);
  stream.end(body);
  function leave(): void {
    // By `close` alone the server would see a complete request.
    stream.close(http2.constants.NGHTTP2_CANCEL);
    stream.destroy(new Error("the client has left"));
  }
  return { response, leave };
}

async function read(body: Readable, status: number, headers: ReceivedResponse["headers"]): Promise<ReceivedResponse> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return { status, headers, text: Buffer.concat(chunks).toString() };
}
