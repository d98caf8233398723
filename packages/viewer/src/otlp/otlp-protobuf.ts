import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

import type { Attributes, AttributeValue, SpanEvent, SpanLink, ViewedSpan } from "../span.ts";
import {
  FAILED,
  type Instant,
  integerOrText,
  kindOf,
  MAX_DEPTH,
  MAX_PARTS,
  numberOrText,
  type OtlpValue,
  parseError,
  rejectAll,
  type RejectSpan,
  serviceOf,
  setTimes,
  toAttributeValue,
} from "./otlp.ts";

const { Bit64, LengthDelimited, Varint } = WireType;

/**
 * Parses an `ExportTraceServiceRequest` in protobuf. It skips fields that the viewer does not show.
 *
 * @param reject called for each invalid span, which is skipped; by default the first one throws
 * @throws SyntaxError if the body does not have this shape
 * @see https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
export function parseTracesProtobuf(body: Uint8Array, reject: RejectSpan = rejectAll): ViewedSpan[] {
  const reader = new MessageReader(body, reject);
  const spans: ViewedSpan[] = [];
  try {
    readFields(reader, body.length, { 1: LengthDelimited }, () => readResourceSpans(reader, spans));
  } catch (error) {
    throw error instanceof SyntaxError
      ? error
      : parseError(`the body is not OTLP in protobuf: ${(error as Error).message}`);
  }
  return spans;
}

/** A reader that counts the messages it has read, and remembers what is wrong with the current span. */
class MessageReader extends BinaryReader {
  readonly reject: RejectSpan;
  problem: string | undefined;
  #messages = 0;

  constructor(body: Uint8Array, reject: RejectSpan) {
    super(body);
    this.reject = reject;
  }

  count(): void {
    if (++this.#messages > MAX_PARTS) throw parseError(`a request must have ${MAX_PARTS} parts or fewer`);
  }
}

/** The wire types of the fields to read, by field number. */
type Fields = Readonly<Record<number, WireType>>;

/** Reads an embedded message, which starts with its length. */
function readMessage(reader: MessageReader, fields: Fields, read: (field: number) => void): void {
  reader.count();
  const length = reader.uint32();
  readFields(reader, reader.pos + length, fields, read);
}

/** Reads fields up to a position. Unknown fields and other wire types are skipped, as protobuf requires. */
function readFields(reader: BinaryReader, end: number, fields: Fields, read: (field: number) => void): void {
  if (end > reader.len) throw parseError("a message is longer than the request");
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (fields[field] === type) read(field);
    else reader.skip(type, field);
  }
  if (reader.pos !== end) throw parseError("a field is longer than its message");
}

/** For messages of which only the first field is read. */
const FIRST: Fields = { 1: LengthDelimited };

const RESOURCE_SPANS: Fields = { 1: LengthDelimited, 2: LengthDelimited };

function readResourceSpans(reader: MessageReader, spans: ViewedSpan[]): void {
  let resource: Attributes = {};
  const scopes: number[] = [];
  readMessage(reader, RESOURCE_SPANS, (field) => {
    if (field === 1) resource = readAttributesOf(reader);
    // Parse the scopes last: the resource may follow them.
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

const SCOPE: Fields = { 1: LengthDelimited, 2: LengthDelimited, 3: LengthDelimited };

/** The fields of a span that come from its instrumentation scope. */
type Scope = { -readonly [Key in "scope" | "scopeVersion" | "scopeAttributes"]?: ViewedSpan[Key] };

function readScopeSpans(reader: MessageReader, origin: Origin, spans: ViewedSpan[]): void {
  const scope: Scope = {};
  const first = spans.length;
  readMessage(reader, RESOURCE_SPANS, (field) => {
    if (field === 1) readScope(reader, scope);
    else {
      const span = readSpan(reader, origin);
      if (span !== undefined) spans.push(span);
    }
  });
  for (let at = first; at < spans.length; at++) Object.assign(spans[at]!, scope);
}

function readScope(reader: MessageReader, scope: Scope): void {
  let attributes: Record<string, AttributeValue> | undefined;
  readMessage(reader, SCOPE, (field) => {
    if (field === 3) return readAttribute(reader, (attributes ??= {}), 0);
    const text = reader.string();
    if (text !== "") scope[field === 1 ? "scope" : "scopeVersion"] = text;
  });
  if (attributes !== undefined) scope.scopeAttributes = attributes;
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

const EPOCH: Instant = { ms: 0, nanos: 0 };

function readSpan(reader: MessageReader, { service, resource }: Origin): ViewedSpan | undefined {
  let traceId = "";
  let spanId = "";
  let parentSpanId: string | undefined;
  let name = "";
  let kind = 0;
  let start = EPOCH;
  let end = EPOCH;
  const attributes: Record<string, AttributeValue> = {};
  let events: SpanEvent[] | undefined;
  let links: SpanLink[] | undefined;
  let status: Status = NO_STATUS;
  reader.problem = undefined;
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
    else if (field === 13) {
      const link = readLink(reader);
      if (link !== undefined) (links ??= []).push(link);
    } else status = readStatus(reader);
  });
  if (traceId === "" || spanId === "") reader.problem ??= "a span has no trace_id or no span_id";
  if (reader.problem !== undefined) {
    reader.reject(reader.problem);
    return undefined;
  }
  const span: ViewedSpan = {
    traceId,
    spanId,
    parentSpanId,
    service,
    name,
    kind: kindOf(kind),
    start: 0,
    end: 0,
    attributes,
    failed: status.code === FAILED,
    ...(status.message === "" ? undefined : { statusMessage: status.message }),
    ...(events === undefined ? undefined : { events }),
    ...(links === undefined ? undefined : { links }),
    resource,
  };
  setTimes(span, start, end);
  return span;
}

/** Returns an empty string for an invalid id, and sets the problem of the span. */
function readId(reader: MessageReader, bytes: number, name: string): string {
  const id = reader.bytes();
  if (id.length !== bytes) {
    reader.problem ??= `'${name}' must be ${bytes} bytes; received ${id.length}`;
    return "";
  }
  return Buffer.from(id.buffer, id.byteOffset, bytes).toString("hex");
}

/** For a root span some exporters send an empty id, others an id of zeros. */
function readParent(reader: MessageReader): string | undefined {
  const { pos } = reader;
  if (reader.uint32() === 0) return undefined;
  reader.pos = pos;
  const id = readId(reader, 8, "parent_span_id");
  return id === "0000000000000000" ? undefined : id;
}

/**
 * Converts nanoseconds in 64 bits to milliseconds. They exceed the safe integers, so it adds the two halves as whole
 * numbers: 2^32 ns are 4294 ms and 967,296 ns.
 */
function readTime(reader: MessageReader): Instant {
  const low = reader.fixed32();
  const high = reader.fixed32();
  const apart = high * 967_296;
  const nanos = (apart % 1e6) + low;
  const rest = nanos % 1e6;
  return { ms: high * 4294 + Math.floor(apart / 1e6) + Math.floor(nanos / 1e6) + rest / 1e6, nanos: rest };
}

const EVENT: Fields = { 1: Bit64, 2: LengthDelimited, 3: LengthDelimited };

function readEvent(reader: MessageReader): SpanEvent {
  let time = 0;
  let name = "";
  const attributes: Record<string, AttributeValue> = {};
  readMessage(reader, EVENT, (field) => {
    if (field === 1) time = readTime(reader).ms;
    else if (field === 2) name = reader.string();
    else readAttribute(reader, attributes, 0);
  });
  return { name, time, attributes };
}

const LINK: Fields = { 1: LengthDelimited, 2: LengthDelimited, 4: LengthDelimited };

/** Returns `undefined` for a link without valid ids. */
function readLink(reader: MessageReader): SpanLink | undefined {
  const { problem } = reader;
  let traceId = "";
  let spanId = "";
  let attributes: Record<string, AttributeValue> | undefined;
  readMessage(reader, LINK, (field) => {
    if (field === 1) traceId = readId(reader, 16, "trace_id");
    else if (field === 2) spanId = readId(reader, 8, "span_id");
    else readAttribute(reader, (attributes ??= {}), 0);
  });
  // An invalid link does not make its span invalid.
  reader.problem = problem;
  if (traceId === "" || spanId === "") return undefined;
  return { traceId, spanId, ...(attributes === undefined ? undefined : { attributes }) };
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

/** Reads the attributes of a message that has them in its first field, such as a resource. */
function readAttributesOf(reader: MessageReader): Attributes {
  const attributes: Record<string, AttributeValue> = {};
  readMessage(reader, FIRST, () => readAttribute(reader, attributes, 0));
  return attributes;
}

const KEY_VALUE: Fields = { 1: LengthDelimited, 2: LengthDelimited };

/** Reads an attribute and adds it to `into`. */
function readAttribute(reader: MessageReader, into: Record<string, AttributeValue>, level: number): void {
  const [key, part] = readPair(reader, level);
  const value = toAttributeValue(part);
  if (key !== "__proto__") into[key] = value;
  // An assignment to `__proto__` would replace the prototype.
  else Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
}

function readPair(reader: MessageReader, level: number): [key: string, value: OtlpValue] {
  let key = "";
  let value: OtlpValue = "null";
  readMessage(reader, KEY_VALUE, (field) => {
    if (field === 1) key = reader.string();
    else value = readValue(reader, level);
  });
  return [key, value];
}

const VALUE: Fields = {
  1: LengthDelimited,
  2: Varint,
  3: Varint,
  4: Bit64,
  5: LengthDelimited,
  6: LengthDelimited,
  7: LengthDelimited,
};

/** Reads an `AnyValue`. */
function readValue(reader: MessageReader, level: number): OtlpValue {
  if (level >= MAX_DEPTH) throw parseError(`a value must have ${MAX_DEPTH} levels or fewer`);
  let value: OtlpValue = "null";
  readMessage(reader, VALUE, (field) => {
    if (field === 1) value = reader.string();
    else if (field === 2) value = reader.bool();
    else if (field === 3) value = integerOrText(reader.int64());
    else if (field === 4) value = numberOrText(reader.double());
    else if (field === 5) value = readList(reader, level + 1);
    else if (field === 6) value = readMap(reader, level + 1);
    else value = Buffer.from(reader.bytes()).toString("base64");
  });
  return value;
}

function readList(reader: MessageReader, level: number): OtlpValue[] {
  const values: OtlpValue[] = [];
  readMessage(reader, FIRST, () => values.push(readValue(reader, level)));
  return values;
}

function readMap(reader: MessageReader, level: number): OtlpValue {
  const pairs: [string, OtlpValue][] = [];
  readMessage(reader, FIRST, () => pairs.push(readPair(reader, level)));
  return Object.fromEntries(pairs);
}
