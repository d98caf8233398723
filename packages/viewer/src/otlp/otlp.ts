import type { Attributes, AttributeValue, SpanKind } from "../span.ts";

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

/** Far more than anybody sends at once; one of two bytes becomes an object of a hundred. */
export const MOST_PARTS = 2_000_000;

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

/** A value as it is read, in which maps are still maps. */
export type Part = string | number | boolean | readonly Part[] | { readonly [key: string]: Part };

/** Maps have become text, as what is drawn is a line: once, for what is text already would be quoted anew at each level. */
export function flattened(part: Part): AttributeValue {
  if (typeof part !== "object") return part;
  return isList(part) ? part.map(flattened) : JSON.stringify(part);
}

function isList(part: Part): part is readonly Part[] {
  return Array.isArray(part);
}

/** What a number holds is one; of others it would lose digits. */
export function integerOrText(value: bigint | number | string): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** JSON, in which spans are kept and shown, has no number for what is none, or has no end. */
export function numberOrText(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
