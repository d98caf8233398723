import type { Attributes, SpanKind } from "../span.ts";

/** What both encodings of OTLP have in common. */

const KINDS: readonly SpanKind[] = ["internal", "internal", "server", "client", "producer", "consumer"];

export function kindOf(number: number): SpanKind {
  return KINDS[number] ?? "internal";
}

export function numberOf(kind: SpanKind): number {
  return KINDS.lastIndexOf(kind);
}

/** `STATUS_CODE_ERROR` of OTLP. */
export const FAILED = 2;

/** Far more levels than anybody sends, and less than is too deep for the stack. */
export const MOST_LEVELS = 100;

export function serviceOf(resource: Attributes): string {
  const name = resource["service.name"];
  return typeof name === "string" && name !== "" ? name : "unknown_service";
}

/** What could not be read, and why: nothing of it is taken. */
export function unreadable(why: string): SyntaxError {
  return new SyntaxError(`Cannot read traces: ${why}`);
}
