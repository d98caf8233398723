import { type RejectSpan, serviceOf } from "../otlp/otlp.ts";
import type { SpanKind, ViewedSpan } from "../span.ts";

/** A span of Zipkin's version 2 format. Times are in microseconds. */
interface ZipkinSpan {
  readonly traceId?: string;
  readonly id?: string;
  readonly parentId?: string;
  readonly name?: string;
  readonly kind?: string;
  readonly timestamp?: number;
  readonly duration?: number;
  readonly localEndpoint?: { readonly serviceName?: string };
  readonly tags?: Readonly<Record<string, string>>;
  readonly annotations?: readonly { readonly timestamp?: number; readonly value?: string }[];
}

const KINDS: Readonly<Record<string, SpanKind>> = {
  SERVER: "server",
  CLIENT: "client",
  PRODUCER: "producer",
  CONSUMER: "consumer",
};

/** Returns whether a parsed file is a Zipkin span, a list of them, or a list of such lists. */
export function isZipkinJson(value: unknown): boolean {
  const span: unknown = Array.isArray(value) ? value.flat()[0] : value;
  return typeof span === "object" && span !== null && "id" in span && "traceId" in span;
}

export function readZipkinJson(value: unknown, reject: RejectSpan): ViewedSpan[] {
  return [value as ZipkinSpan | ZipkinSpan[]].flat(2).flatMap((span) => readSpan(span, reject));
}

function readSpan(span: ZipkinSpan, reject: RejectSpan): ViewedSpan[] {
  const { traceId = "", id = "", parentId, timestamp = 0, duration, tags = {}, annotations = [] } = span;
  if (!/^[\da-f]{1,32}$/i.test(traceId) || !/^[\da-f]{1,16}$/i.test(id)) {
    reject("a Zipkin span must have 'traceId' and 'id' of hexadecimal digits");
    return [];
  }
  const resource = { "service.name": span.localEndpoint?.serviceName ?? "" };
  const events = annotations.map(({ timestamp: at = 0, value = "" }) => ({
    name: value,
    time: at / 1000,
    attributes: {},
  }));
  return [
    {
      traceId: traceId.toLowerCase().padStart(32, "0"),
      spanId: id.toLowerCase().padStart(16, "0"),
      parentSpanId: parentId ? parentId.toLowerCase().padStart(16, "0") : undefined,
      service: serviceOf(resource),
      name: span.name ?? "",
      kind: KINDS[span.kind ?? ""] ?? "internal",
      start: timestamp / 1000,
      end: (timestamp + (duration ?? 0)) / 1000,
      ...(duration === undefined ? { isUnfinished: true as const } : undefined),
      attributes: { ...tags },
      failed: tags["error"] !== undefined && tags["error"] !== "false",
      ...(events.length === 0 ? undefined : { events }),
      resource,
    },
  ];
}
