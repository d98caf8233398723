import type { DeadlineDialect } from "./dialects.ts";
import { InvalidDeadline } from "./errors.ts";
import type { RequestHeaders } from "./headers.ts";

/** A limit on a request and who set it. */
export interface Budget {
  readonly ms: number;
  readonly source: string;
}

/**
 * The time that the caller has left: the least of all headers present.
 *
 * @param onInvalid told of a malformed value; the header then counts as absent
 */
export function callerBudget(
  headers: RequestHeaders,
  dialects: readonly DeadlineDialect[],
  onInvalid: (error: InvalidDeadline) => void,
): Budget | undefined {
  let least: Budget | undefined;
  for (const dialect of dialects) {
    const value = headers.get(dialect.header);
    if (value === undefined) continue;
    // Sent twice it comes as an array or joined with a comma; neither is a value of any grammar.
    const ms = typeof value === "string" ? parsed(dialect, value) : undefined;
    if (ms === undefined) onInvalid(new InvalidDeadline(dialect.header, dialect.grammar, String(value)));
    else if (ms < (least?.ms ?? Infinity)) least = { ms, source: `${dialect.header} header` };
  }
  return least;
}

/** The longest span that a timeout can have; longer is as good as no limit. */
const LONGEST = 8.64e15;

/** A dialect may be the user's own: one that throws, or gives what is no time, has not understood the value. */
function parsed(dialect: DeadlineDialect, value: string): number | undefined {
  try {
    const ms: unknown = dialect.parse(value);
    // Of a promise, what it rejects with would be an unhandled rejection.
    if (ms instanceof Promise) ms.catch(() => {});
    if (typeof ms !== "number" || !(ms >= 0)) return undefined;
    return ms > LONGEST ? Infinity : ms;
  } catch {
    return undefined;
  }
}

/** What holds of the caller's limit and the server's own: an inbound value only shrinks. */
export function smallerBudget(a: Budget | undefined, b: Budget | undefined): Budget | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.ms < a.ms ? b : a;
}
