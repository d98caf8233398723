import { parseError, type RejectSpan, serviceOf } from "../otlp/otlp.ts";
import type { Attributes, AttributeValue, SpanEvent, SpanKind, SpanLink, ViewedSpan } from "../span.ts";

// Jaeger's own JSON: what its user interface downloads, and what `/api/traces/{id}` answers.

interface JaegerTrace {
  readonly spans?: readonly JaegerSpan[];
  readonly processes?: Readonly<Record<string, JaegerProcess>>;
}

interface JaegerSpan {
  readonly traceID?: string;
  readonly spanID?: string;
  readonly parentSpanID?: string;
  readonly operationName?: string;
  readonly references?: readonly { readonly refType?: string; readonly traceID?: string; readonly spanID?: string }[];
  /** Microseconds since the epoch. */
  readonly startTime?: number;
  /** Microseconds. */
  readonly duration?: number;
  readonly tags?: readonly JaegerTag[];
  readonly logs?: readonly { readonly timestamp?: number; readonly fields?: readonly JaegerTag[] }[];
  readonly processID?: string;
  readonly process?: JaegerProcess;
}

interface JaegerProcess {
  readonly serviceName?: string;
  readonly tags?: readonly JaegerTag[];
}

interface JaegerTag {
  readonly key?: string;
  readonly type?: string;
  readonly value?: unknown;
}

/** Returns whether a parsed file has this format. */
export function isJaegerJson(value: unknown): boolean {
  const trace = tracesOf(value)[0];
  return typeof trace === "object" && Array.isArray(trace?.spans) && !("scope" in trace);
}

/** @throws SyntaxError if a part does not have this shape */
export function readJaegerJson(value: unknown, reject: RejectSpan): ViewedSpan[] {
  return tracesOf(value).flatMap(({ spans = [], processes = {} }) =>
    spans.flatMap((span) => {
      const process = span.process ?? processes[span.processID ?? ""] ?? {};
      return readSpan(span, process, reject);
    }),
  );
}

function tracesOf(value: unknown): readonly JaegerTrace[] {
  const { data } = (value ?? {}) as { data?: unknown };
  if (Array.isArray(data)) return data as JaegerTrace[];
  return Array.isArray(value) ? (value as JaegerTrace[]) : [value as JaegerTrace];
}

function readSpan(span: JaegerSpan, process: JaegerProcess, reject: RejectSpan): ViewedSpan[] {
  const [traceId, spanId] = [hexId(span.traceID, 32), hexId(span.spanID, 16)];
  if (traceId === undefined || spanId === undefined) {
    reject("a Jaeger span must have 'traceID' and 'spanID' of hexadecimal digits");
    return [];
  }
  const { references = [], startTime = 0, duration = 0 } = span;
  const parent = references.find((each) => each.refType === "CHILD_OF") ?? references[0];
  const attributes = attributesOf(span.tags);
  const resource = { "service.name": process.serviceName ?? "", ...attributesOf(process.tags) };
  const message = attributes["otel.status_description"];
  const scope = attributes["otel.scope.name"] ?? attributes["otel.library.name"];
  const events = (span.logs ?? []).map(readLog);
  const links = references.filter((each) => each !== parent).flatMap(linkOf);
  return [
    {
      traceId,
      spanId,
      parentSpanId: hexId(parent?.spanID ?? span.parentSpanID, 16),
      service: serviceOf(resource),
      name: span.operationName ?? "",
      kind: kindOf(attributes["span.kind"]),
      start: startTime / 1000,
      end: (startTime + duration) / 1000,
      attributes,
      failed: attributes["error"] === true || attributes["otel.status_code"] === "ERROR",
      ...(typeof message === "string" && message !== "" ? { statusMessage: message } : undefined),
      ...(events.length === 0 ? undefined : { events }),
      ...(links.length === 0 ? undefined : { links }),
      resource,
      ...(typeof scope === "string" && scope !== "" ? { scope } : undefined),
    },
  ];
}

/** Ids may lack their leading zeros, and trace ids may have 64 bits. */
function hexId(id: unknown, digits: number): string | undefined {
  if (typeof id !== "string" || id.length > digits || !/^[\da-f]+$/i.test(id) || /^0+$/.test(id)) return undefined;
  return id.toLowerCase().padStart(digits, "0");
}

function linkOf({ traceID, spanID }: { traceID?: string; spanID?: string }): SpanLink[] {
  const [traceId, spanId] = [hexId(traceID, 32), hexId(spanID, 16)];
  return traceId === undefined || spanId === undefined ? [] : [{ traceId, spanId }];
}

function readLog({ timestamp = 0, fields }: NonNullable<JaegerSpan["logs"]>[number]): SpanEvent {
  const { event, ...attributes } = attributesOf(fields);
  return { name: String(event ?? attributes["message"] ?? "log"), time: timestamp / 1000, attributes };
}

function attributesOf(tags: readonly JaegerTag[] = []): Attributes {
  if (!Array.isArray(tags)) throw parseError("'tags' must be a list");
  return Object.fromEntries(tags.map(({ key = "", type, value }: JaegerTag) => [key, valueOf(type, value)]));
}

function valueOf(type: string | undefined, value: unknown): AttributeValue {
  if (typeof value === "string" && (type === "int64" || type === "float64")) {
    const number = Number(value);
    return Number.isFinite(number) && (type === "float64" || Number.isSafeInteger(number)) ? number : value;
  }
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return JSON.stringify(value ?? null);
}

function kindOf(kind: unknown): SpanKind {
  return kind === "server" || kind === "client" || kind === "producer" || kind === "consumer" ? kind : "internal";
}
