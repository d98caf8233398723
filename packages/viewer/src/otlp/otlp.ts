import type { Attributes, AttributeValue, SpanKind, ViewedSpan } from "../span.ts";

const KINDS: readonly SpanKind[] = ["internal", "internal", "server", "client", "producer", "consumer"];

export function kindOf(number: number): SpanKind {
  return KINDS[number] ?? "internal";
}

export function numberOf(kind: SpanKind): number {
  return KINDS.lastIndexOf(kind);
}

/** `STATUS_CODE_ERROR`. */
export const FAILED = 2;

/**
 * Far above any real request. A message of two bytes becomes an object of a hundred bytes, so the size alone is no
 * limit.
 */
export const MAX_PARTS = 2_000_000;

/** Far above any real value, and low enough for recursion. */
export const MAX_DEPTH = 100;

export function serviceOf(resource: Attributes): string {
  const name = resource["service.name"];
  return typeof name === "string" && name !== "" ? name : "unknown_service";
}

/** Is called with the reason for each span that is skipped because one of its own fields is invalid. */
export type RejectSpan = (reason: string) => void;

/** The default: an invalid span makes the parser throw. */
export const rejectAll: RejectSpan = (reason) => {
  throw parseError(reason);
};

/** Creates the error for a request that cannot be parsed. None of its spans are stored. */
export function parseError(reason: string): SyntaxError {
  return new SyntaxError(`Cannot read traces: ${reason}`);
}

/** A parsed `AnyValue`, whose maps are still objects. */
export type OtlpValue = string | number | boolean | readonly OtlpValue[] | { readonly [key: string]: OtlpValue };

/** Converts maps to JSON text, because the viewer shows a value as one line. Only the outermost map is quoted. */
export function toAttributeValue(value: OtlpValue): AttributeValue {
  if (typeof value !== "object") return value;
  return isList(value) ? value.map(toAttributeValue) : JSON.stringify(value);
}

function isList(value: OtlpValue): value is readonly OtlpValue[] {
  return Array.isArray(value);
}

/** Returns a number if it is exact, else the digits as text. */
export function integerOrText(value: bigint | number | string): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** Returns NaN and infinities as text, because JSON, in which spans are stored and sent, cannot represent them. */
export function numberOrText(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/**
 * Sets the times of a span. A double has a resolution of 244 ns today, so the nanoseconds are kept beside it if they
 * differ.
 *
 * @param end 0 if the span is not finished
 */
export function setTimes(span: ViewedSpan, start: Instant, end: Instant): void {
  const into = span as { -readonly [Key in keyof ViewedSpan]: ViewedSpan[Key] };
  into.start = start.ms;
  if (nanosOf(start.ms) !== start.nanos) into.startNanos = start.nanos;
  if (end.ms === 0 && end.nanos === 0 && start.ms > 0) {
    into.end = into.start;
    into.isUnfinished = true;
    if (into.startNanos !== undefined) into.endNanos = into.startNanos;
    return;
  }
  into.end = end.ms;
  if (nanosOf(end.ms) !== end.nanos) into.endNanos = end.nanos;
}

/** Milliseconds since the epoch, and the exact nanoseconds within that millisecond. */
export interface Instant {
  readonly ms: number;
  readonly nanos: number;
}

export function nanosOf(ms: number): number {
  return Math.round((ms - Math.floor(ms)) * 1e6);
}
