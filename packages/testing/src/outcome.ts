import { AssertionError } from "node:assert";

import { Canceled, type Context, DeadlineExceeded, isContext } from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";
import { ClientDisconnected, ResponseSent } from "@throughline/http";

/**
 * What ended a request, a call or a context. `"response"`: its response was sent. `"deadline"`: a deadline passed.
 * `"client"`: the caller left. `"cancel"`: code canceled it. `"refusal"`: it was rejected before its handler ran.
 * `"error"`: an error of another kind.
 */
export type EndedBy = "response" | "refusal" | "deadline" | "client" | "cancel" | "error";

/** An object that records what ended it: a {@link RecordedSpan} or a {@link PeerCall}. */
interface Recorded {
  readonly endedBy: EndedBy | undefined;
  readonly budget: number | undefined;
}

function isRecorded(value: unknown): value is Recorded {
  return typeof value === "object" && value !== null && "endedBy" in value && "budget" in value;
}

/**
 * Returns what ended a Context, a span of `recordSpans`, a call of a `peer`, or the code that threw an error;
 * `undefined` if it has not ended.
 */
export function endedBy(subject: unknown): EndedBy | undefined {
  if (isContext(subject)) return endOfContext(subject);
  if (isRecorded(subject)) return subject.endedBy;
  if (subject === undefined) return undefined;
  if (subject instanceof DeadlineExceeded) return "deadline";
  if (subject instanceof Canceled) return endOfCause(subject.cause);
  return "error";
}

function endOfContext(ctx: Context): EndedBy | undefined {
  const error = ctx.err();
  return error instanceof Canceled ? endOfCause(ctx.cause()) : endedBy(error);
}

function endOfCause(cause: unknown): EndedBy {
  if (cause instanceof ResponseSent) return "response";
  return cause instanceof ClientDisconnected ? "client" : "cancel";
}

/**
 * Returns the milliseconds that were granted by the deadline of a Context or of an error, or that were left when a span
 * or a call of a `peer` began; `undefined` without a deadline.
 */
export function budget(subject: unknown): number | undefined {
  if (isContext(subject)) return deadlineDetails(subject)?.budget;
  if (isRecorded(subject)) return subject.budget;
  return subject instanceof DeadlineExceeded ? subject.budget : undefined;
}

/**
 * Fails unless the subject was ended by this: see {@link endedBy}. A promise must reject with an error that was.
 *
 * @throws AssertionError
 */
export async function assertEndedBy(subject: unknown, expected: EndedBy): Promise<void> {
  const settled = subject instanceof Promise ? await rejectionOf(subject) : subject;
  const actual = endedBy(settled);
  if (actual === expected) return;
  const shown = settled instanceof Error ? `: ${settled.message}` : "";
  throw new AssertionError({
    message: `expected it to be ended by "${expected}", but it ${actual === undefined ? "has not ended" : `was ended by "${actual}"`}${shown}`,
    actual,
    expected,
    operator: "assertEndedBy",
    stackStartFn: assertEndedBy,
  });
}

async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error ?? new Error("rejected with no error"),
  );
}
