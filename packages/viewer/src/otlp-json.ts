import type { AttributeValue, SpanKind, ViewedSpan } from "./span.ts";

/** A value of OTLP's JSON encoding, of which any part may be missing or wrong. */
type Json = { readonly [name: string]: Json } | readonly Json[] | string | number | boolean | null | undefined;

const KINDS: readonly SpanKind[] = ["internal", "internal", "server", "client", "producer", "consumer"];

/**
 * The spans of an `ExportTraceServiceRequest` in JSON.
 *
 * @throws SyntaxError if it is not JSON, or not of that shape: nothing is taken then
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function parseTraces(text: string): ViewedSpan[] {
  const request: Json = JSON.parse(text);
  if (isDeeper(request, MOST_LEVELS)) {
    throw new SyntaxError(`Cannot read traces: a value must have ${MOST_LEVELS} levels at most`);
  }
  return list(request, "resourceSpans").flatMap((resourceSpans) => {
    const resource = attributes(field(field(resourceSpans, "resource"), "attributes"));
    const service = asText((resource["service.name"] as Json) ?? "unknown_service");
    return list(resourceSpans, "scopeSpans").flatMap((scope) =>
      list(scope, "spans").map((span) => parseSpan(span, service)),
    );
  });
}

/** Far more than anybody sends, and less than is too deep for the stack. */
const MOST_LEVELS = 100;

function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((each: Json) => isDeeper(each, levels - 1));
}

function parseSpan(span: Json, service: string): ViewedSpan {
  return {
    traceId: id(span, "traceId", 32),
    spanId: id(span, "spanId", 16),
    parentSpanId: field(span, "parentSpanId") ? id(span, "parentSpanId", 16) : undefined,
    service,
    name: asText(field(span, "name") ?? ""),
    kind: KINDS[number(field(span, "kind") ?? 0)] ?? "internal",
    start: time(span, "startTimeUnixNano"),
    end: time(span, "endTimeUnixNano"),
    attributes: attributes(field(span, "attributes")),
    failed: number(field(field(span, "status"), "code") ?? 0) === 2,
  };
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
  if (!Array.isArray(items)) throw new SyntaxError(`Cannot read traces: '${name}' must be a list`);
  return items;
}

function id(span: Json, name: string, digits: number): string {
  const value = field(span, name);
  if (typeof value !== "string" || value.length !== digits || !/^[\da-f]+$/i.test(value)) {
    throw new SyntaxError(`Cannot read traces: '${name}' must be ${digits} hexadecimal digits`);
  }
  return value.toLowerCase();
}

/** Nanoseconds come as a decimal string, of more digits than a number holds. */
function time(span: Json, name: string): number {
  const value = field(span, name);
  if (
    (typeof value !== "string" && typeof value !== "number") ||
    !/^\d{1,20}$/.test(String(value)) ||
    BigInt(value) >= 2n ** 64n
  ) {
    throw new SyntaxError(`Cannot read traces: '${name}' must be nanoseconds since the epoch`);
  }
  const nanos = BigInt(value);
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6;
}

function attributes(pairs: Json): Record<string, AttributeValue> {
  const entries = Array.isArray(pairs) ? pairs : [];
  return Object.fromEntries(
    entries.map((pair: Json) => [asText(field(pair, "key")), attributeValue(field(pair, "value"))]),
  );
}

function number(value: Json): number {
  return typeof value === "object" ? NaN : Number(value);
}

function attributeValue(value: Json): AttributeValue {
  const [kind, content] = Object.entries((value ?? {}) as Record<string, Json>)[0] ?? [];
  if (kind === "intValue" || kind === "doubleValue") return number(content);
  if (kind === "boolValue") return content === true;
  if (kind === "arrayValue") return list(content, "values").map(attributeValue);
  return typeof content === "string" ? content : JSON.stringify(content ?? null);
}
