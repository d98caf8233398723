import type { Attributes, SpanEvent, SpanLink, ViewedSpan } from "../span.ts";
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

/** A value of the JSON encoding, before validation. */
export type Json = { readonly [name: string]: Json } | readonly Json[] | string | number | boolean | null | undefined;

/**
 * Parses an `ExportTraceServiceRequest` in JSON. It also accepts the answers of Tempo and Jaeger, which wrap the same
 * messages: `batches`, `trace` and `result`.
 *
 * @param reject called for each invalid span, which is skipped; by default the first one throws
 * @throws SyntaxError if the text is not JSON, or does not have this shape
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function parseTracesJson(text: string, reject: RejectSpan = rejectAll): ViewedSpan[] {
  return readTraces(JSON.parse(text) as Json, reject);
}

/** As `parseTracesJson`, for a value that is parsed. */
export function readTraces(request: Json, reject: RejectSpan): ViewedSpan[] {
  if (countParts(request, MAX_DEPTH) > MAX_PARTS) throw parseError(`a request must have ${MAX_PARTS} parts or fewer`);
  return resourceSpansOf(request).flatMap((resourceSpans) => {
    const resource = attributes(field(field(resourceSpans, "resource"), "attributes"));
    const service = serviceOf(resource);
    return scopeSpansOf(resourceSpans).flatMap((scopeSpans) => {
      const origin = { service, resource, ...parseScope(scopeSpans) };
      return list(scopeSpans, "spans").flatMap((span) => {
        try {
          return parseSpan(span, origin);
        } catch (error) {
          if (!(error instanceof InvalidSpan || error instanceof SyntaxError)) throw error;
          reject(error.message.replace("Cannot read traces: ", ""));
          return [];
        }
      });
    });
  });
}

/** Is caught for each span, so that the others are kept. */
class InvalidSpan extends Error {}

/** Returns the list from any of the known envelopes. */
function resourceSpansOf(request: Json): readonly Json[] {
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    throw parseError("the body must be an object with 'resourceSpans'");
  }
  for (const name of ["resourceSpans", "batches"]) {
    if (field(request, name) !== undefined) return list(request, name);
  }
  for (const name of ["trace", "result"]) {
    const inner = field(request, name);
    if (inner !== undefined && inner !== null) return resourceSpansOf(inner);
  }
  if (Object.keys(request).length === 0) return [];
  throw parseError(`the body must have 'resourceSpans'; it has ${Object.keys(request).slice(0, 3).join(", ")}`);
}

/** Messages from before version 0.15 of OTLP call a scope an instrumentation library. */
function scopeSpansOf(resourceSpans: Json): readonly Json[] {
  const scopes = list(resourceSpans, "scopeSpans");
  return scopes.length > 0 ? scopes : list(resourceSpans, "instrumentationLibrarySpans");
}

function parseScope(scopeSpans: Json): Pick<ViewedSpan, "scope" | "scopeVersion" | "scopeAttributes"> {
  const scope = field(scopeSpans, "scope") ?? field(scopeSpans, "instrumentationLibrary");
  const [name, version] = [field(scope, "name"), field(scope, "version")];
  const given = attributes(field(scope, "attributes"));
  return {
    ...(typeof name === "string" && name !== "" ? { scope: name } : undefined),
    ...(typeof version === "string" && version !== "" ? { scopeVersion: version } : undefined),
    ...(Object.keys(given).length === 0 ? undefined : { scopeAttributes: given }),
  };
}

/**
 * Counts the objects and lists in a value.
 *
 * @throws SyntaxError if the value has more levels than permitted
 */
function countParts(value: Json, levels: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (levels === 0) throw parseError(`a value must have ${MAX_DEPTH} levels or fewer`);
  let parts = 1;
  for (const each of Object.values(value) as Json[]) parts += countParts(each, levels - 1);
  return parts;
}

function parseSpan(span: Json, origin: Omit<Partial<ViewedSpan>, "service"> & { service: string }): ViewedSpan {
  const status = field(span, "status");
  const message = field(status, "message");
  const start = time(span, "startTimeUnixNano");
  const events = list(span, "events").map((event) => parseEvent(event, start));
  const links = list(span, "links").flatMap(parseLink);
  const parsed: ViewedSpan = {
    traceId: id(span, "traceId", 16),
    spanId: id(span, "spanId", 8),
    parentSpanId: parentOf(span),
    name: asText(field(span, "name") ?? ""),
    kind: kindOf(enumOf(field(span, "kind"), KIND_NAMES)),
    start: 0,
    end: 0,
    attributes: attributes(field(span, "attributes")),
    failed: enumOf(field(status, "code"), STATUS_NAMES) === FAILED,
    ...(typeof message === "string" && message !== "" ? { statusMessage: message } : undefined),
    ...(events.length === 0 ? undefined : { events }),
    ...(links.length === 0 ? undefined : { links }),
    ...origin,
  };
  setTimes(parsed, start, time(span, "endTimeUnixNano"));
  return parsed;
}

const KIND_NAMES = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const STATUS_NAMES = ["UNSET", "OK", "ERROR"];

/** Protobuf's JSON encoding permits the name of an enum value beside its number: `STATUS_CODE_ERROR`. */
function enumOf(value: Json, names: readonly string[]): number {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return 0;
  const name = value.toUpperCase().replace(/^(?:SPAN_KIND|STATUS_CODE)_/, "");
  return names.includes(name) ? names.indexOf(name) : number(value) || 0;
}

/** Some exporters send an id of zeros for a root span. */
function parentOf(span: Json): string | undefined {
  const parent = field(span, "parentSpanId") ? id(span, "parentSpanId", 8) : undefined;
  return parent === "0000000000000000" ? undefined : parent;
}

/** An event without a time, which encoders that omit zeros send, is placed at the start of the span. */
function parseEvent(event: Json, start: Instant): SpanEvent {
  return {
    name: asText(field(event, "name") ?? ""),
    time: time(event, "timeUnixNano").ms || start.ms,
    attributes: attributes(field(event, "attributes")),
  };
}

/** Skips a link without valid ids. */
function parseLink(link: Json): SpanLink[] {
  const given = attributes(field(link, "attributes"));
  try {
    const [traceId, spanId] = [id(link, "traceId", 16), id(link, "spanId", 8)];
    return [{ traceId, spanId, ...(Object.keys(given).length === 0 ? undefined : { attributes: given }) }];
  } catch {
    return [];
  }
}

function asText(value: Json): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** Protobuf's JSON encoding permits both `traceId` and `trace_id`. */
function field(value: Json, name: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const fields = value as { [name: string]: Json };
  return fields[name] ?? (name in SNAKE ? fields[SNAKE[name]!] : undefined);
}

const SNAKE: Readonly<Record<string, string>> = Object.fromEntries(
  (
    "resourceSpans scopeSpans instrumentationLibrarySpans instrumentationLibrary traceId spanId parentSpanId " +
    "startTimeUnixNano endTimeUnixNano timeUnixNano stringValue intValue doubleValue boolValue arrayValue kvlistValue"
  )
    .split(" ")
    .map((name) => [name, name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]),
);

function list(value: Json, name: string): readonly Json[] {
  const items = field(value, name);
  if (items === undefined || items === null) return [];
  if (!Array.isArray(items)) throw parseError(`'${name}' must be a list`);
  return items;
}

/** OTLP encodes ids as hexadecimal digits. Tempo answers with Protobuf's default for bytes, base64. */
function id(span: Json, name: string, bytes: number): string {
  const value = field(span, name);
  if (typeof value === "string") {
    if (value.length === bytes * 2 && /^[\da-f]+$/i.test(value)) return value.toLowerCase();
    if (value.length === Math.ceil(bytes / 3) * 4 && /^[\w+/-]+=*$/.test(value)) {
      const decoded = Buffer.from(value, "base64");
      if (decoded.length === bytes) return decoded.toString("hex");
    }
  }
  throw new InvalidSpan(`'${name}' must be ${bytes * 2} hexadecimal digits`);
}

/** Nanoseconds are a decimal string, because they exceed the safe integers. Encoders may omit zeros. */
function time(span: Json, name: string): Instant {
  const value = field(span, name) ?? 0;
  if (
    (typeof value !== "string" && typeof value !== "number") ||
    !/^\d{1,20}$/.test(String(value)) ||
    BigInt(value) >= 2n ** 64n
  ) {
    throw new InvalidSpan(`'${name}' must be nanoseconds since the epoch`);
  }
  const nanos = BigInt(value);
  const rest = Number(nanos % 1_000_000n);
  return { ms: Number(nanos / 1_000_000n) + rest / 1e6, nanos: rest };
}

function attributes(pairs: Json): Attributes {
  const entries = Array.isArray(pairs) ? pairs : [];
  return Object.fromEntries(
    entries.map((pair: Json) => [asText(field(pair, "key")), toAttributeValue(parseValue(field(pair, "value")))]),
  );
}

function number(value: Json): number {
  return typeof value === "object" ? NaN : Number(value);
}

function parseValue(value: Json): OtlpValue {
  const [given, content] = Object.entries((value ?? {}) as Record<string, Json>)[0] ?? [];
  const kind = given?.replace(/_v/, "V");
  if (kind === "intValue" && (typeof content === "string" || typeof content === "number"))
    return integerOrText(content);
  if (kind === "doubleValue") return numberOrText(number(content));
  if (kind === "boolValue") return content === true;
  if (kind === "arrayValue") return list(content, "values").map(parseValue);
  if (kind === "kvlistValue") {
    return Object.fromEntries(
      list(content, "values").map((pair) => [asText(field(pair, "key")), parseValue(field(pair, "value"))]),
    );
  }
  return typeof content === "string" ? content : JSON.stringify(content ?? null);
}
