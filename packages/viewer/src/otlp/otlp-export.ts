import type { Attributes, AttributeValue, ViewedSpan } from "../span.ts";
import { FAILED, nanosOf, numberOf } from "./otlp.ts";

/**
 * Formats spans as an `ExportTraceServiceRequest` in JSON, for other tools that read OTLP. The resolution of the times
 * of events is a quarter of a microsecond. Attribute values that were maps are strings of JSON.
 */
export function formatTraces(spans: readonly ViewedSpan[]): object {
  const byResource = Map.groupBy(spans, ({ resource, service }) => resource ?? service);
  return {
    resourceSpans: [...byResource].map(([resource, of]) => ({
      resource: { attributes: pairs(typeof resource === "string" ? { "service.name": resource } : resource) },
      scopeSpans: [...Map.groupBy(of, scopeKey).values()].map((inScope) => ({
        scope: formatScope(inScope[0]!),
        spans: inScope.map(formatSpan),
      })),
    })),
  };
}

function scopeKey({ scope, scopeVersion, scopeAttributes }: ViewedSpan): string {
  return JSON.stringify([scope, scopeVersion, scopeAttributes]);
}

function formatScope({ scope = "", scopeVersion, scopeAttributes }: ViewedSpan): object {
  return {
    name: scope,
    ...(scopeVersion === undefined ? undefined : { version: scopeVersion }),
    ...(scopeAttributes === undefined ? undefined : { attributes: pairs(scopeAttributes) }),
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
    startTimeUnixNano: nanos(span.start, span.startNanos),
    endTimeUnixNano: span.isUnfinished === true ? "0" : nanos(span.end, span.endNanos),
    attributes: pairs(span.attributes),
    events: events.map((event) => ({
      name: event.name,
      timeUnixNano: nanos(event.time),
      attributes: pairs(event.attributes),
    })),
    links: links.map(({ attributes, ...link }) => ({
      ...link,
      ...(attributes === undefined ? undefined : { attributes: pairs(attributes) }),
    })),
    status: { code: span.failed ? FAILED : 0, message: span.statusMessage ?? "" },
  };
}

function nanos(ms: number, within = nanosOf(ms)): string {
  return String(BigInt(Math.round(ms - within / 1e6)) * 1_000_000n + BigInt(within));
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
