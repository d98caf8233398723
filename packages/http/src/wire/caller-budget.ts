import type { DeadlineDialect } from "./dialects.ts";
import { InvalidDeadline } from "./errors.ts";
import type { RequestHeaders } from "./headers.ts";

/** A time limit of a request and its source. */
export interface Budget {
  readonly ms: number;
  readonly source: string;
}

/**
 * Returns the time that the caller has left: the minimum of all deadline headers that are present.
 *
 * @param onInvalid is called for each malformed header, which otherwise counts as absent
 */
export function callerBudget(
  headers: RequestHeaders,
  dialects: readonly DeadlineDialect[],
  onInvalid: (error: InvalidDeadline) => void,
): Budget | undefined {
  let smallest: Budget | undefined;
  for (const dialect of dialects) {
    const value = headers.get(dialect.header);
    if (value === undefined) continue;
    // A header that was sent twice is an array or is joined with a comma. No grammar accepts either.
    const ms = typeof value === "string" ? parse(dialect, value) : undefined;
    if (ms === undefined) onInvalid(new InvalidDeadline(dialect.header, dialect.grammar, String(value)));
    else if (ms < (smallest?.ms ?? Infinity)) smallest = { ms, source: `${dialect.header} header` };
  }
  return smallest;
}

/** The range of `Date` in milliseconds (ECMA-262, 21.4.1.1). A longer timeout counts as no limit. */
const MAX_TIMEOUT_MS = 8.64e15;

/** A dialect may be written by the user: if it throws or returns no valid time, the value counts as malformed. */
function parse(dialect: DeadlineDialect, value: string): number | undefined {
  try {
    const ms: unknown = dialect.parse(value);
    // A dialect that returns a promise is wrong; its rejection must not become an unhandled one.
    if (ms instanceof Promise) ms.catch(() => {});
    if (typeof ms !== "number" || !(ms >= 0)) return undefined;
    return ms > MAX_TIMEOUT_MS ? Infinity : ms;
  } catch {
    return undefined;
  }
}

/** Returns the smaller of two budgets: the caller can shorten the server's own limit, never extend it. */
export function smallerBudget(a: Budget | undefined, b: Budget | undefined): Budget | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.ms < a.ms ? b : a;
}
