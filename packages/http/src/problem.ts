import { DeadlineExceeded } from "@throughline/context";

import { causes } from "./causes.ts";
import { InvalidDeadline, ServerDraining } from "./errors.ts";

/** A problem document (RFC 9457) with the status it goes out under. It tells of times and who set them, and of nothing inside. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  /** Milliseconds that were granted, and that had passed. */
  readonly budgetMs?: number;
  readonly elapsedMs?: number;
  /** Who set the deadline: a header of the request, or an option of the server. */
  readonly setBy?: string;
}

/** What an answer of ours says about itself, so that a caller can tell our expiry from that of a proxy (a structured field, RFC 9651). */
export const OUTCOME_HEADER = "throughline-outcome";

/**
 * The answer to an error that is ours to explain: a deadline that passed (504), a header that cannot be read (400), a server that ends (503). The
 * error may be the cause of another. Any other error is the application's: `undefined`.
 */
export function problemOf(error: unknown): Problem | undefined {
  for (const each of causes(error)) {
    if (each instanceof DeadlineExceeded) return deadlineExceeded(each);
    if (each instanceof InvalidDeadline) return invalidDeadline(each);
    if (each instanceof ServerDraining) return DRAINING;
  }
  return undefined;
}

function deadlineExceeded(error: DeadlineExceeded): Problem {
  return {
    type: "urn:throughline:problem:deadline-exceeded",
    title: "Deadline exceeded",
    status: 504,
    ...(error.budget === undefined ? undefined : { budgetMs: whole(error.budget) }),
    ...(error.elapsed === undefined ? undefined : { elapsedMs: whole(error.elapsed) }),
    ...(error.source === undefined ? undefined : { setBy: error.source }),
  };
}

function invalidDeadline(error: InvalidDeadline): Problem {
  return {
    type: "urn:throughline:problem:invalid-deadline",
    title: "Invalid deadline",
    status: 400,
    detail: error.message,
  };
}

function whole(ms: number): number {
  return Math.round(ms);
}

const DRAINING: Problem = { type: "urn:throughline:problem:draining", title: "Server draining", status: 503 };

/** What the outcome header calls the problems that it speaks of. */
const OUTCOMES: Readonly<Record<number, string>> = { 503: "draining", 504: "deadline-exceeded" };

/** Headers of a problem's response. One that was refused before anything was started is safe to send again, whatever it was. */
export function problemHeaders({ status }: Problem, started: boolean): Record<string, string> {
  const outcome = OUTCOMES[status];
  return {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...(outcome === undefined ? undefined : { [OUTCOME_HEADER]: `${outcome};started=?${started ? 1 : 0}` }),
    // Another server is there at once.
    ...(status === 503 ? { "retry-after": "0" } : undefined),
  };
}

/** Whether a header speaks of the body that a failed handler was about to send; others, as those of CORS, stay with the response. */
export function isRepresentationHeader(name: string): boolean {
  return /^(?:content-(?!security-policy).*|transfer-encoding|trailer|etag|last-modified|accept-ranges|cache-control|expires|age)$/i.test(
    name,
  );
}
