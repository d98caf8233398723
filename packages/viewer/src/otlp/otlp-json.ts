import type { Attributes, SpanEvent, SpanLink, ViewedSpan } from "../span.ts";
import {
  FAILED,
  toAttributeValue,
  integerOrText,
  kindOf,
  MAX_DEPTH,
  MAX_PARTS,
  numberOrText,
  type OtlpValue,
  serviceOf,
  parseError,
} from "./otlp.ts";

/** A value of the JSON encoding, before validation. */
type Json = { readonly [name: string]: Json } | readonly Json[] | string | number | boolean | null | undefined;

/**
 * Parses an `ExportTraceServiceRequest` in JSON.
 *
 * @throws SyntaxError if the text is not JSON, or does not have this shape
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function parseTracesJson(text: string): ViewedSpan[] {
  const request: Json = JSON.parse(text);
  if (countParts(request, MAX_DEPTH) > MAX_PARTS) throw parseError(`a request must have ${MAX_PARTS} parts or fewer`);
  return list(request, "resourceSpans").flatMap((resourceSpans) => {
    const resource = attributes(field(field(resourceSpans, "resource"), "attributes"));
    const service = serviceOf(resource);
    return list(resourceSpans, "scopeSpans").flatMap((scopeSpans) => {
      const scope = field(field(scopeSpans, "scope"), "name");
      const origin = { service, resource, ...(typeof scope === "string" && scope !== "" ? { scope } : undefined) };
      return list(scopeSpans, "spans").map((span) => parseSpan(span, origin));
    });
  });
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

function parseSpan(span: Json, origin: Pick<ViewedSpan, "service" | "resource" | "scope">): ViewedSpan {
  const status = field(span, "status");
  const message = field(status, "message");
  const events = list(span, "events").map(parseEvent);
  const links = list(span, "links").map(parseLink);
  return {
    traceId: id(span, "traceId", 32),
    spanId: id(span, "spanId", 16),
    parentSpanId: parentOf(span),
    name: asText(field(span, "name") ?? ""),
    kind: kindOf(number(field(span, "kind") ?? 0)),
    start: time(span, "startTimeUnixNano"),
    end: time(span, "endTimeUnixNano"),
    attributes: attributes(field(span, "attributes")),
    failed: number(field(status, "code") ?? 0) === FAILED,
    ...(typeof message === "string" && message !== "" ? { statusMessage: message } : undefined),
    ...(events.length === 0 ? undefined : { events }),
    ...(links.length === 0 ? undefined : { links }),
    ...origin,
  };
}

/** Some exporters send an id of zeros for a root span. */
function parentOf(span: Json): string | undefined {
  const parent = field(span, "parentSpanId") ? id(span, "parentSpanId", 16) : undefined;
  return parent === "0000000000000000" ? undefined : parent;
}

function parseEvent(event: Json): SpanEvent {
  return {
    name: asText(field(event, "name") ?? ""),
    time: time(event, "timeUnixNano"),
    attributes: attributes(field(event, "attributes")),
  };
}

function parseLink(link: Json): SpanLink {
  return { traceId: id(link, "traceId", 32), spanId: id(link, "spanId", 16) };
}

function asText(value: Json): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function field(value: Json, name: string): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as { [name: string]: Json })[name]
    : undefined;
}

function list(value: Json, name: string): readonly Json[] {
  const items = field(value, name);
  if (items === undefined || items === null) return [];
  if (!Array.isArray(items)) throw parseError(`'${name}' must be a list`);
  return items;
}

function id(span: Json, name: string, digits: number): string {
  const value = field(span, name);
  if (typeof value !== "string" || value.length !== digits || !/^[\da-f]+$/i.test(value)) {
    throw parseError(`'${name}' must be ${digits} hexadecimal digits`);
  }
  return value.toLowerCase();
}

/** Nanoseconds are a decimal string, because they exceed the safe integers. */
function time(span: Json, name: string): number {
  const value = field(span, name);
  if (
    (typeof value !== "string" && typeof value !== "number") ||
    !/^\d{1,20}$/.test(String(value)) ||
    BigInt(value) >= 2n ** 64n
  ) {
    throw parseError(`'${name}' must be nanoseconds since the epoch`);
  }
  const nanos = BigInt(value);
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6;
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
  const [kind, content] = Object.entries((value ?? {}) as Record<string, Json>)[0] ?? [];
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
