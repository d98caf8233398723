import { WireType } from "@bufbuild/protobuf/wire";

import type { Attributes, AttributeValue, SpanEvent, SpanLink, ViewedSpan } from "../span.ts";
import { FAILED, kindOf, serviceOf, unreadable } from "./otlp.ts";
import { FIRST, readAttribute, readAttributesOf } from "./protobuf-attribute.ts";
import { type Fields, MessageReader, readFields, readMessage } from "./protobuf-message.ts";

const { Bit64, LengthDelimited, Varint } = WireType;

/**
 * The spans of an `ExportTraceServiceRequest` in protobuf. What is not drawn is passed over.
 *
 * @throws SyntaxError if it is not of that shape: nothing is taken then
 * @see https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
export function parseTracesProtobuf(body: Uint8Array): ViewedSpan[] {
  const reader = new MessageReader(body);
  const spans: ViewedSpan[] = [];
  try {
    readFields(reader, body.length, { 1: LengthDelimited }, () => readResourceSpans(reader, spans));
  } catch (error) {
    throw error instanceof SyntaxError ? error : unreadable(`this is no OTLP in protobuf: ${(error as Error).message}`);
  }
  return spans;
}

const RESOURCE_SPANS: Fields = { 1: LengthDelimited, 2: LengthDelimited };

function readResourceSpans(reader: MessageReader, spans: ViewedSpan[]): void {
  let resource: Attributes = {};
  const scopes: number[] = [];
  readMessage(reader, RESOURCE_SPANS, (field) => {
    if (field === 1) resource = readAttributesOf(reader);
    // Read at the end: the resource may come after what it stands for.
    else {
      scopes.push(reader.pos);
      reader.skip(LengthDelimited);
    }
  });
  const { pos } = reader;
  const service = serviceOf(resource);
  for (const scope of scopes) {
    reader.pos = scope;
    readScopeSpans(reader, { service, resource }, spans);
  }
  reader.pos = pos;
}

interface Origin {
  readonly service: string;
  readonly resource: Attributes;
}

function readScopeSpans(reader: MessageReader, origin: Origin, spans: ViewedSpan[]): void {
  let scope: string | undefined;
  const first = spans.length;
  readMessage(reader, RESOURCE_SPANS, (field) => {
    if (field === 1) readMessage(reader, FIRST, () => (scope = reader.string()));
    else spans.push(readSpan(reader, origin));
  });
  if (scope === undefined) return;
  for (let at = first; at < spans.length; at++) (spans[at] as { scope?: string }).scope = scope;
}

const SPAN: Fields = {
  1: LengthDelimited,
  2: LengthDelimited,
  4: LengthDelimited,
  5: LengthDelimited,
  6: Varint,
  7: Bit64,
  8: Bit64,
  9: LengthDelimited,
  11: LengthDelimited,
  13: LengthDelimited,
  15: LengthDelimited,
};

function readSpan(reader: MessageReader, { service, resource }: Origin): ViewedSpan {
  let traceId = "";
  let spanId = "";
  let parentSpanId: string | undefined;
  let name = "";
  let kind = 0;
  let start = 0;
  let end = 0;
  const attributes: Record<string, AttributeValue> = {};
  let events: SpanEvent[] | undefined;
  let links: SpanLink[] | undefined;
  let status: Status = NO_STATUS;
  readMessage(reader, SPAN, (field) => {
    if (field === 1) traceId = readId(reader, 16, "trace_id");
    else if (field === 2) spanId = readId(reader, 8, "span_id");
    else if (field === 4) parentSpanId = readParent(reader);
    else if (field === 5) name = reader.string();
    else if (field === 6) kind = reader.int32();
    else if (field === 7) start = readTime(reader);
    else if (field === 8) end = readTime(reader);
    else if (field === 9) readAttribute(reader, attributes, 0);
    else if (field === 11) (events ??= []).push(readEvent(reader));
    else if (field === 13) (links ??= []).push(readLink(reader));
    else status = readStatus(reader);
  });
  if (traceId === "" || spanId === "") throw unreadable("a span has no trace_id or no span_id");
  return {
    traceId,
    spanId,
    parentSpanId,
    service,
    name,
    kind: kindOf(kind),
    start,
    end,
    attributes,
    failed: status.code === FAILED,
    ...(status.message === "" ? undefined : { statusMessage: status.message }),
    ...(events === undefined ? undefined : { events }),
    ...(links === undefined ? undefined : { links }),
    resource,
  };
}

function readId(reader: MessageReader, bytes: number, name: string): string {
  const id = reader.bytes();
  if (id.length !== bytes) throw unreadable(`'${name}' must be ${bytes} bytes: current length is ${id.length}`);
  return Buffer.from(id.buffer, id.byteOffset, bytes).toString("hex");
}

/** Some write a parent of no bytes, some one of zeros, where there is none. */
function readParent(reader: MessageReader): string | undefined {
  const { pos } = reader;
  if (reader.uint32() === 0) return undefined;
  reader.pos = pos;
  const id = readId(reader, 8, "parent_span_id");
  return id === "0000000000000000" ? undefined : id;
}

/** Nanoseconds in 64 bits, as milliseconds. A number does not hold them all: 2^32 ns are 4294 ms and 967,296 ns, and each part is whole. */
function readTime(reader: MessageReader): number {
  const low = reader.fixed32();
  const high = reader.fixed32();
  const apart = high * 967_296;
  const nanos = (apart % 1e6) + low;
  return high * 4294 + Math.floor(apart / 1e6) + Math.floor(nanos / 1e6) + (nanos % 1e6) / 1e6;
}

const EVENT: Fields = { 1: Bit64, 2: LengthDelimited, 3: LengthDelimited };

function readEvent(reader: MessageReader): SpanEvent {
  let time = 0;
  let name = "";
  const attributes: Record<string, AttributeValue> = {};
  readMessage(reader, EVENT, (field) => {
    if (field === 1) time = readTime(reader);
    else if (field === 2) name = reader.string();
    else readAttribute(reader, attributes, 0);
  });
  return { name, time, attributes };
}

const LINK: Fields = { 1: LengthDelimited, 2: LengthDelimited };

function readLink(reader: MessageReader): SpanLink {
  let traceId = "";
  let spanId = "";
  readMessage(reader, LINK, (field) => {
    if (field === 1) traceId = readId(reader, 16, "trace_id");
    else spanId = readId(reader, 8, "span_id");
  });
  return { traceId, spanId };
}

interface Status {
  readonly code: number;
  readonly message: string;
}

const NO_STATUS: Status = { code: 0, message: "" };
const STATUS: Fields = { 2: LengthDelimited, 3: Varint };

function readStatus(reader: MessageReader): Status {
  let { code, message } = NO_STATUS;
  readMessage(reader, STATUS, (field) => {
    if (field === 2) message = reader.string();
    else code = reader.int32();
  });
  return { code, message };
}
