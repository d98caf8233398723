import { gunzipSync } from "node:zlib";

import { type Json, readTraces } from "../otlp/otlp-json.ts";
import { parseTracesProtobuf } from "../otlp/otlp-protobuf.ts";
import { parseError, rejectAll, type RejectSpan } from "../otlp/otlp.ts";
import type { ViewedSpan } from "../span.ts";
import { isJaegerJson, readJaegerJson } from "./jaeger-json.ts";
import { isZipkinJson, readZipkinJson } from "./zipkin-json.ts";

/** Maximum size of a file in bytes, after decompression. */
export const MAX_FILE_BYTES: number = 256 * 1024 * 1024;

/**
 * Parses a file of traces: OTLP in JSON, in lines of JSON or in protobuf; the JSON of Tempo, Jaeger and Zipkin; each
 * also gzipped.
 *
 * @param reject called for each invalid span, which is skipped; by default the first one throws
 * @throws SyntaxError if the file has none of these formats
 */
export function parseTraceFile(file: Uint8Array, reject: RejectSpan = rejectAll): ViewedSpan[] {
  const bytes = file[0] === 0x1f && file[1] === 0x8b ? gunzipSync(file, { maxOutputLength: MAX_FILE_BYTES }) : file;
  const text = looksLikeText(bytes) ? new TextDecoder().decode(bytes) : undefined;
  if (text === undefined) return readProtobuf(bytes, reject);
  try {
    return readJson(JSON.parse(text) as Json, reject);
  } catch (error) {
    if (!(error instanceof SyntaxError) || error.message.startsWith("Cannot read traces")) throw error;
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length > 1 && isJson(lines[0]!)) {
      return lines.flatMap((line, index) => readLine(line, index, reject));
    }
    // A message of protobuf may begin with bytes that are also white space and a brace.
    if (bytes[0] === 0x0a) return readProtobuf(bytes, reject);
    throw parseError(`the file is neither JSON nor OTLP in protobuf: ${error.message}`);
  }
}

function readJson(value: Json, reject: RejectSpan): ViewedSpan[] {
  if (isZipkinJson(value)) return readZipkinJson(value, reject);
  if (isJaegerJson(value)) return readJaegerJson(value, reject);
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap((each) => readTraces(each, reject));
  return readTraces(value, reject);
}

function readLine(line: string, index: number, reject: RejectSpan): ViewedSpan[] {
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch (error) {
    // The last line of a file that is still being written may be a part.
    reject(`line ${index + 1} is not JSON: ${(error as Error).message}`);
    return [];
  }
  return readJson(value, reject);
}

/** Tempo's version 2 wraps the trace in another message. */
function readProtobuf(bytes: Uint8Array, reject: RejectSpan): ViewedSpan[] {
  const spans = parseTracesProtobuf(bytes, reject);
  if (spans.length > 0 || bytes[0] !== 0x0a) return spans;
  let at = 1;
  let length = 0;
  for (let shift = 0; at < bytes.length; shift += 7) {
    const byte = bytes[at++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  return parseTracesProtobuf(bytes.subarray(at, at + length), reject);
}

function looksLikeText(bytes: Uint8Array): boolean {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && " \t\r\n".includes(String.fromCharCode(bytes[at]!))) at += 1;
  return at === bytes.length || bytes[at] === 0x7b || bytes[at] === 0x5b;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
