import { DeadlineExceeded } from "@throughline/context";

import { causes } from "../wire/causes.ts";
import {
  Forbidden,
  InvalidDeadline,
  InvalidHeader,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "../wire/errors.ts";

/** A problem document (RFC 9457). It tells of times, and of who set them only if that is told to strangers. */
export interface ProblemDocument {
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

/** The answer to an error that is this library's to explain. */
export interface Problem {
  readonly document: ProblemDocument;
  /** Headers that go with this problem alone. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What the outcome header calls it; `undefined` where a caller needs no such sign. */
  readonly outcome?: "deadline-exceeded" | "draining" | "overloaded";
}

/** The errors that are ours to explain, and how. */
const EXPLAINED = [
  [DeadlineExceeded, deadlineExceeded],
  [InvalidDeadline, invalidDeadline],
  [InvalidHeader, invalidHeader],
  [ServerDraining, draining],
  [ServerOverloaded, overloaded],
  [Unauthenticated, unauthenticated],
  [Forbidden, forbidden],
] as const;

/**
 * The problem that an error stands for: a deadline that passed (504), a header that cannot be read (400), a server that ends or has too
 * much to do (503), a request of nobody known (401), or of one who may not (403). The error may be the cause of another, or one of an AggregateError. Any other error is the
 * application's: `undefined`.
 */
export function problemOf(error: unknown): Problem | undefined {
  for (const each of causes(error)) {
    for (const [type, explain] of EXPLAINED) {
      if (each instanceof type) return (explain as (error: Error) => Problem)(each);
    }
  }
  return undefined;
}

/** Who sets a deadline that callers may know of: their own header, or an option of the server. A handler's own may tell of what is inside. */
const PUBLIC_SOURCES = /^(?:[a-z0-9-]+ header|maxTimeout|defaultTimeout|firstByteTimeout|idleTimeout|the deadline)$/;

function deadlineExceeded({ budget, elapsed, source }: DeadlineExceeded): Problem {
  return {
    document: {
      ...basis("deadline-exceeded", "Deadline exceeded", 504),
      ...(budget === undefined ? undefined : { budgetMs: Math.round(budget) }),
      ...(elapsed === undefined ? undefined : { elapsedMs: Math.round(elapsed) }),
      ...(source !== undefined && PUBLIC_SOURCES.test(source) ? { setBy: source } : undefined),
    },
    outcome: "deadline-exceeded",
  };
}

function invalidDeadline(error: InvalidDeadline): Problem {
  return { document: { ...basis("invalid-deadline", "Invalid deadline", 400), detail: error.message } };
}

function invalidHeader(error: InvalidHeader): Problem {
  return { document: { ...basis("invalid-header", "Invalid header", 400), detail: error.message } };
}

function draining({ headers }: ServerDraining): Problem {
  return { document: basis("draining", "Server draining", 503), headers, outcome: "draining" };
}

function overloaded({ headers }: ServerOverloaded): Problem {
  return { document: basis("overloaded", "Server overloaded", 503), headers, outcome: "overloaded" };
}

function unauthenticated({ headers }: Unauthenticated): Problem {
  return { document: basis("unauthenticated", "Unauthenticated", 401), headers };
}

function forbidden({ headers }: Forbidden): Problem {
  return { document: basis("forbidden", "Forbidden", 403), headers };
}

function basis(type: string, title: string, status: number): ProblemDocument {
  return { type: `urn:throughline:problem:${type}`, title, status };
}
