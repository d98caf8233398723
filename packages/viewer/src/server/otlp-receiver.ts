import type { IncomingMessage, ServerResponse } from "node:http";
import { createGunzip } from "node:zlib";

import { BinaryWriter } from "@bufbuild/protobuf/wire";

import { parseTracesJson } from "../otlp/otlp-json.ts";
import { parseTracesProtobuf } from "../otlp/otlp-protobuf.ts";
import type { ViewedSpan } from "../span.ts";
import { Refused } from "./refused.ts";

/** Where OTLP over HTTP is sent, by its specification. Metrics and logs are taken, as their senders would complain, and dropped. */
const SIGNALS = new Set(["/v1/traces", "/v1/metrics", "/v1/logs"]);

/** Receives OTLP over HTTP, in protobuf or JSON, packed or not. Returns `undefined` for a path that is not OTLP's. */
export function receiveOtlp(
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
  maxBytes: number,
  take: (spans: ViewedSpan[]) => void,
): Promise<void> | undefined {
  return SIGNALS.has(path) ? receive(req, res, path, maxBytes, take) : undefined;
}

async function receive(
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
  maxBytes: number,
  take: (spans: ViewedSpan[]) => void,
): Promise<void> {
  const type = (req.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  const isProtobuf = type === "application/x-protobuf";
  try {
    if (req.method !== "POST") throw new Refused(405, `the method must be POST; received ${req.method}`);
    if (!isProtobuf && type !== "application/json") {
      throw new Refused(
        415,
        `content-type must be application/x-protobuf or application/json (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf or http/json); received ${type}`,
      );
    }
    const body = await bodyOf(req, maxBytes);
    if (path === "/v1/traces") take(isProtobuf ? parseTracesProtobuf(body) : parseTracesJson(body.toString("utf8")));
    answer(res, 200, isProtobuf ? new Uint8Array() : "{}", isProtobuf);
  } catch (error) {
    const { status, message } = refusalOf(error);
    if (status === 413) res.setHeader("connection", "close");
    answer(res, status, isProtobuf ? statusMessage(message) : JSON.stringify({ message }), isProtobuf);
  }
}

function refusalOf(error: unknown): { status: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Refused) return { status: error.status, message: `Cannot receive OTLP: ${message}` };
  return { status: 400, message };
}

/** `google.rpc.Status`, as OTLP wants errors: only its message. */
function statusMessage(message: string): Uint8Array {
  return new BinaryWriter().tag(2, 2).string(message).finish();
}

function answer(res: ServerResponse, status: number, body: string | Uint8Array, isProtobuf: boolean): void {
  res.writeHead(status, { "content-type": isProtobuf ? "application/x-protobuf" : "application/json" });
  res.end(body);
}

async function bodyOf(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const encoding = (req.headers["content-encoding"] ?? "identity").toLowerCase();
  if (encoding !== "gzip" && encoding !== "identity") {
    throw new Refused(415, `content-encoding must be gzip or none; received ${encoding}`);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of encoding === "gzip" ? unpacked(req) : req) {
    length += chunk.length;
    if (length > maxBytes) throw new Refused(413, `a request may have ${maxBytes} bytes at most, unpacked`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Not a pipeline: that would destroy the request, and with it the answer to it. */
function unpacked(req: IncomingMessage): AsyncIterable<Buffer> {
  const gunzip = createGunzip();
  req.once("close", () => {
    if (!req.complete) gunzip.destroy(new Error("the upload was broken off"));
  });
  return req.pipe(gunzip);
}
