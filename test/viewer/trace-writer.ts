import type { Attributes, SpanKind, ViewedSpan } from "@throughline/viewer";

/** The start of most traces. */
export const NOON: number = Date.UTC(2026, 2, 14, 12);

/** The description of a span. */
export interface SpanDescription {
  readonly service: string;
  readonly name: string;
  /** @default "server" */
  readonly kind?: SpanKind;
  /** Milliseconds from the start of the trace. */
  readonly at: readonly [start: number, end: number];
  readonly budget?: number;
  /** @default "grpc-timeout header" for a server span with a budget */
  readonly source?: string;
  /** @default "response" if there is a status */
  readonly by?: string;
  readonly status?: number;
  readonly phase?: string;
  readonly attributes?: Attributes;
  readonly failed?: boolean;
}

type Side = Pick<SpanDescription, "at" | "budget" | "by" | "status" | "phase" | "source">;

/** Builds a trace from the root down. Each span has its own id, which its children name as their parent. */
export class TraceWriter {
  readonly spans: ViewedSpan[] = [];
  readonly traceId: string;
  readonly #start: number;

  constructor(number: number, start: number) {
    this.traceId = `7f3a9c${number.toString(16).padStart(26, "0")}`;
    this.#start = start;
  }

  /** Adds a span and returns its id. */
  span(parentSpanId: string | undefined, described: SpanDescription): string {
    const { service, name, kind = "server", at } = described;
    const spanId = `5b${(this.spans.length + 1).toString(16).padStart(14, "0")}`;
    this.spans.push({
      traceId: this.traceId,
      spanId,
      parentSpanId,
      service,
      name,
      kind,
      start: this.#start + at[0],
      end: this.#start + at[1],
      attributes: attributesOf(described),
      failed: isFailed(described),
      resource: { "service.name": service, "service.version": "4.2.0", "host.name": `${service}-7d9f` },
      scope: "@throughline/http",
    });
    return spanId;
  }

  /** Adds a call between two services with the spans of both. Returns the id of the called service's span. */
  call(parentSpanId: string, [from, to]: readonly [string, string], name: string, sent: Side, received: Side): string {
    const method = name.split(" ")[0]!;
    const client = this.span(parentSpanId, { ...sent, service: from, name: method, kind: "client" });
    return this.span(client, { ...received, service: to, name });
  }

  /** Adds a database query: only a client span, because the database has none. */
  query(parentSpanId: string, service: string, name: string, side: Side): void {
    const attributes = { "db.system.name": "postgresql", "db.query.summary": name };
    this.span(parentSpanId, { ...side, service, name, kind: "client", attributes });
  }
}

function isFailed({ by, status = 0, kind, failed }: SpanDescription): boolean {
  if (failed !== undefined) return failed;
  return by === "deadline" || by === "error" || status >= 500 || (kind === "client" && status >= 400);
}

function attributesOf(described: SpanDescription): Attributes {
  const { kind = "server", budget, status, phase, name } = described;
  const by = described.by ?? (status === undefined ? undefined : "response");
  const given = {
    "http.request.method": /^[A-Z]+( \/|$)/.test(name) ? name.split(" ")[0] : undefined,
    "http.response.status_code": status,
    "throughline.deadline.budget_ms": budget,
    "throughline.deadline.source":
      described.source ?? (kind === "server" && budget !== undefined ? "grpc-timeout header" : undefined),
    "throughline.ended_by": by,
    "throughline.call.phase": phase,
    "error.type": by === "deadline" ? "DEADLINE_EXCEEDED" : isFailed(described) ? String(status ?? "Error") : undefined,
    ...described.attributes,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Attributes;
}
