import type { IncomingMessage, ServerResponse } from "node:http";
import { createGunzip } from "node:zlib";

import { BinaryWriter } from "@bufbuild/protobuf/wire";

import { parseTracesJson } from "../otlp/otlp-json.ts";
import { parseTracesProtobuf } from "../otlp/otlp-protobuf.ts";
import { parseError } from "../otlp/otlp.ts";
import type { ViewedSpan } from "../span.ts";
import { HttpError } from "./http-error.ts";

/**
 * The paths of OTLP over HTTP. Metrics and logs are accepted, so that their exporters report no errors, and dropped.
 */
const SIGNALS = new Set(["/v1/traces", "/v1/metrics", "/v1/logs"]);

/** Takes the spans of a request. */
export interface SpanSink {
  /** Stores spans and returns how many it could not store. */
  add(spans: ViewedSpan[]): number;
  /** Called with the number of spans that are invalid. */
  refuse(spans: number, reason: string): void;
}

/**
 * Receives OTLP over HTTP in protobuf or JSON, optionally gzipped. Returns `undefined` for a path that is not part of
 * OTLP.
 */
export function receiveOtlp(
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
  maxBytes: number,
  sink: SpanSink,
): Promise<void> | undefined {
  return SIGNALS.has(path) ? receive(req, res, path, maxBytes, sink) : undefined;
}

async function receive(
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
  maxBytes: number,
  sink: SpanSink,
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
    const rejected = path === "/v1/traces" ? store(body, isProtobuf, sink) : undefined;
    answer(res, 200, isProtobuf ? partialSuccessMessage(rejected) : partialSuccessJson(rejected), isProtobuf);
  } catch (error) {
    const { status, message } = errorResponse(error);
    if (status === 413) res.setHeader("connection", "close");
    answer(res, status, isProtobuf ? statusMessage(message) : JSON.stringify({ message }), isProtobuf);
  }
}

/** The spans of a request that are not stored; the others are. */
interface Rejected {
  readonly spans: number;
  readonly reason: string;
}

/** @throws SyntaxError if all spans are invalid */
function store(body: Buffer, isProtobuf: boolean, sink: SpanSink): Rejected | undefined {
  let invalid = 0;
  let reason = "";
  const reject = (why: string): void => {
    invalid += 1;
    reason ||= why;
  };
  const spans = isProtobuf ? parseTracesProtobuf(body, reject) : parseTracesJson(body.toString("utf8"), reject);
  if (invalid > 0) sink.refuse(invalid, reason);
  if (invalid > 0 && spans.length === 0) throw parseError(reason);
  const dropped = sink.add(spans);
  if (dropped > 0) reason ||= "a trace has more spans than the viewer keeps of one; see --max-spans and --max-mib";
  return invalid + dropped === 0 ? undefined : { spans: invalid + dropped, reason };
}

function partialSuccessJson(rejected: Rejected | undefined): string {
  if (rejected === undefined) return "{}";
  return JSON.stringify({ partialSuccess: { rejectedSpans: String(rejected.spans), errorMessage: rejected.reason } });
}

function partialSuccessMessage(rejected: Rejected | undefined): Uint8Array {
  if (rejected === undefined) return new Uint8Array();
  const message = new BinaryWriter().tag(1, 0).int64(rejected.spans).tag(2, 2).string(rejected.reason).finish();
  return new BinaryWriter().tag(1, 2).bytes(message).finish();
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

/** Reads a body, and decompresses it if needed. */
export async function bodyOf(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
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
