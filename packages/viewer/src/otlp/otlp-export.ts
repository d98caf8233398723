import type { Attributes, AttributeValue, ViewedSpan } from "../span.ts";
import { FAILED, numberOf } from "./otlp.ts";

/**
 * Formats spans as an `ExportTraceServiceRequest` in JSON, for other tools that read OTLP. The resolution of times is a
 * quarter of a microsecond. Attribute values that were maps are strings of JSON.
 */
export function formatTraces(spans: readonly ViewedSpan[]): object {
  const byResource = Map.groupBy(spans, ({ resource, service }) => resource ?? service);
  return {
    resourceSpans: [...byResource].map(([resource, of]) => ({
      resource: { attributes: pairs(typeof resource === "string" ? { "service.name": resource } : resource) },
      scopeSpans: [...Map.groupBy(of, ({ scope }) => scope ?? "")].map(([name, inScope]) => ({
        scope: { name },
        spans: inScope.map(formatSpan),
      })),
    })),
  };
}

function formatSpan(span: ViewedSpan): object {
  const { traceId, spanId, parentSpanId, name, kind, events = [], links = [] } = span;
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? undefined : { parentSpanId }),
    name,
    kind: numberOf(kind),
    startTimeUnixNano: nanos(span.start),
    endTimeUnixNano: nanos(span.end),
    attributes: pairs(span.attributes),
    events: events.map((event) => ({
      name: event.name,
      timeUnixNano: nanos(event.time),
      attributes: pairs(event.attributes),
    })),
    links,
    status: { code: span.failed ? FAILED : 0, message: span.statusMessage ?? "" },
  };
}

function nanos(ms: number): string {
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)));
}

function pairs(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: AttributeValue): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value !== "number") return { arrayValue: { values: value.map(valueOf) } };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
