import type { ViewedSpan } from "../span.ts";

// Zipkin and B3 permit that both sides of a call report the same span id. The SERVER span gets another id, below the
// CLIENT span, as in Jaeger's adjuster for Zipkin spans.

const OTHER_SIDE: Readonly<Record<string, string>> = {
  client: "server",
  server: "client",
  producer: "consumer",
  consumer: "producer",
};

/** Returns whether two spans with the same id are the two sides of a call. */
export function isOtherSide(a: ViewedSpan, b: ViewedSpan): boolean {
  return OTHER_SIDE[a.kind] === b.kind;
}

/** Returns the span with its own id, below the CLIENT span. */
export function idOfServer(span: ViewedSpan): ViewedSpan {
  return { ...span, spanId: otherId(span.spanId), parentSpanId: span.spanId };
}

/** Returns whether a span, such as one from the file, already has the id that `idOfServer` gives. */
export function isSeparated({ kind, spanId, parentSpanId }: ViewedSpan): boolean {
  if (kind !== "server" && kind !== "consumer") return false;
  if (parentSpanId === undefined || parentSpanId.length !== 16) return false;
  // Most spans differ in the last digit.
  return parentSpanId.charCodeAt(15) === spanId.charCodeAt(15) && otherId(parentSpanId) === spanId;
}

/** Returns the span below the SERVER span if it belongs to the same service. */
export function childOfServer(span: ViewedSpan, all: ReadonlyMap<string, ViewedSpan>): ViewedSpan {
  const server = otherId(span.parentSpanId!);
  if (server === span.spanId || all.get(server)?.service !== span.service) return span;
  return { ...span, parentSpanId: server };
}

/** Inverts the first 16 bits, so that the result is an id too, and is the same for a repeated export. */
function otherId(spanId: string): string {
  const first = Number.parseInt(spanId.slice(0, 4), 16) ^ 0xffff;
  return first.toString(16).padStart(4, "0") + spanId.slice(4);
}
