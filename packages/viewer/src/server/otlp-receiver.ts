import type { IncomingMessage, ServerResponse } from "node:http";
import { createGunzip } from "node:zlib";

import { BinaryWriter } from "@bufbuild/protobuf/wire";

import { parseTracesJson } from "../otlp/otlp-json.ts";
import { parseTracesProtobuf } from "../otlp/otlp-protobuf.ts";
import type { ViewedSpan } from "../span.ts";
import { HttpError } from "./http-error.ts";

/**
 * The paths of OTLP over HTTP. Metrics and logs are accepted, so that their exporters report no errors, and dropped.
 */
const SIGNALS = new Set(["/v1/traces", "/v1/metrics", "/v1/logs"]);

/**
 * Receives OTLP over HTTP in protobuf or JSON, optionally gzipped. Returns `undefined` for a path that is not part of
 * OTLP.
 */
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
    if (req.method !== "POST") throw new HttpError(405, `method must be POST; received ${req.method}`);
    if (!isProtobuf && type !== "application/json") {
      throw new HttpError(
        415,
        "'content-type' must be application/x-protobuf or application/json " +
          `(OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf or http/json); received ${type}`,
      );
    }
    const body = await bodyOf(req, maxBytes);
    if (path === "/v1/traces") take(isProtobuf ? parseTracesProtobuf(body) : parseTracesJson(body.toString("utf8")));
    answer(res, 200, isProtobuf ? new Uint8Array() : "{}", isProtobuf);
  } catch (error) {
    const { status, message } = errorResponse(error);
    if (status === 413) res.setHeader("connection", "close");
    answer(res, status, isProtobuf ? statusMessage(message) : JSON.stringify({ message }), isProtobuf);
  }
}

function errorResponse(error: unknown): { status: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof HttpError) return { status: error.status, message: `Cannot receive OTLP: ${message}` };
  return { status: 400, message };
}

/** A `google.rpc.Status` with only its message, which is OTLP's format of errors. */
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
    throw new HttpError(415, `'content-encoding' must be gzip or absent; received ${encoding}`);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of encoding === "gzip" ? decompressed(req) : req) {
    length += chunk.length;
    if (length > maxBytes) throw new HttpError(413, `the body must be ${maxBytes} bytes or fewer after decompression`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Does not use `pipeline`, which would destroy the request, and with it the response. */
function decompressed(req: IncomingMessage): AsyncIterable<Buffer> {
  const gunzip = createGunzip();
  req.once("close", () => {
    if (!req.complete) gunzip.destroy(new Error("the client aborted the upload"));
  });
  return req.pipe(gunzip);
}
