import { DeadlineExceeded } from "@throughline/context";
import Negotiator from "negotiator";

import { causes } from "../wire/causes.ts";
import {
  Forbidden,
  InvalidDeadline,
  InvalidHeader,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "../wire/errors.ts";
import { OUTCOME_HEADER } from "../wire/outcome-header.ts";

/** A problem document (RFC 9457). It names the source of a deadline only if that source is public. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  /** The granted time, in milliseconds. */
  readonly budgetMs?: number;
  /** The time that had passed, in milliseconds. */
  readonly elapsedMs?: number;
  /** What set the deadline: a header of the request, or an option of the server. */
  readonly setBy?: string;
}

/** The answer to an error that this library answers. */
export interface Problem {
  readonly document: ProblemDocument;
  /** Headers that only this problem has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The value in the outcome header; `undefined` for problems without that header. */
  readonly outcome?: "deadline-exceeded" | "draining" | "overloaded";
}

/** The errors that this library answers. */
const PROBLEMS = [
  [DeadlineExceeded, deadlineExceeded],
  [InvalidDeadline, invalidDeadline],
  [InvalidHeader, invalidHeader],
  [ServerDraining, draining],
  [ServerOverloaded, overloaded],
  [Unauthenticated, unauthenticated],
  [Forbidden, forbidden],
] as const;

/**
 * The problem for an error: a deadline that passed (504), an invalid header (400), a draining or overloaded server
 * (503), a request that is not authenticated (401) or not allowed (403). The error may be the cause of another error,
 * or one of an AggregateError. Returns `undefined` for all other errors, which the application answers.
 */
export function problemOf(error: unknown): Problem | undefined {
  for (const each of causes(error)) {
    for (const [type, describe] of PROBLEMS) {
      if (each instanceof type) return (describe as (error: Error) => Problem)(each);
    }
  }
  return undefined;
}

/**
 * Deadline sources that a caller may see. The name that a handler gives to a deadline may reveal internals, so it is
 * not sent.
 */
const PUBLIC_SOURCES = /^(?:[a-z0-9-]+ header|maxTimeout|defaultTimeout|firstByteTimeout|idleTimeout|the deadline)$/;

function deadlineExceeded({ budget, elapsed, source }: DeadlineExceeded): Problem {
  return {
    document: {
      ...documentBase("deadline-exceeded", "Deadline exceeded", 504),
      ...(budget === undefined ? undefined : { budgetMs: Math.round(budget) }),
      ...(elapsed === undefined ? undefined : { elapsedMs: Math.round(elapsed) }),
      ...(source !== undefined && PUBLIC_SOURCES.test(source) ? { setBy: source } : undefined),
    },
    outcome: "deadline-exceeded",
  };
}

function invalidDeadline(error: InvalidDeadline): Problem {
  return { document: { ...documentBase("invalid-deadline", "Invalid deadline", 400), detail: error.message } };
}

function invalidHeader(error: InvalidHeader): Problem {
  return { document: { ...documentBase("invalid-header", "Invalid header", 400), detail: error.message } };
}

function draining({ headers }: ServerDraining): Problem {
  return { document: documentBase("draining", "Server draining", 503), headers, outcome: "draining" };
}

function overloaded({ headers }: ServerOverloaded): Problem {
  return { document: documentBase("overloaded", "Server overloaded", 503), headers, outcome: "overloaded" };
}

function unauthenticated({ headers }: Unauthenticated): Problem {
  return { document: documentBase("unauthenticated", "Unauthenticated", 401), headers };
}

function forbidden({ headers }: Forbidden): Problem {
  return { document: documentBase("forbidden", "Forbidden", 403), headers };
}

function documentBase(type: string, title: string, status: number): ProblemDocument {
  return { type: `urn:throughline:problem:${type}`, title, status };
}

/** A response of this library, for any host. */
export interface ProblemResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The media types of a problem. The first one is the default. */
const MEDIA_TYPES = ["application/problem+json", "application/json", "text/plain", "text/html"] as const;

/**
 * Formats a problem as a response: as a problem document, or as one line of text for a client that accepts only text.
 *
 * @param started whether a handler had begun. If not, the caller may safely send the request again, whatever its method
 * @param accept the `Accept` header of the request
 */
export function problemResponse(
  { document, headers, outcome }: Problem,
  started: boolean,
  accept?: string,
): ProblemResponse {
  const mediaType = new Negotiator({ headers: { accept } }).mediaType([...MEDIA_TYPES]) ?? MEDIA_TYPES[0];
  const isText = mediaType.startsWith("text/");
  return {
    status: document.status,
    headers: {
      "content-type": isText ? "text/plain; charset=utf-8" : mediaType,
      "cache-control": "no-store",
      ...(outcome === undefined ? undefined : { [OUTCOME_HEADER]: `${outcome};started=?${started ? 1 : 0}` }),
      ...headers,
    },
    body: isText ? `${document.title}\n` : JSON.stringify(document),
  };
}

/**
 * Headers of the body that a failed handler was about to send: its representation (RFC 9110, 8), its digests and
 * signatures, its location (`Location`, and the files that a proxy sends for `X-Accel-Redirect` or `X-Sendfile`), and
 * its lifetime in shared caches (RFC 9213, and the headers that content delivery networks use instead).
 */
const REPRESENTATION = new RegExp(
  `^(?:${[
    "content-(?!security-policy).*",
    "transfer-encoding|trailer|etag|last-modified|accept-ranges",
    "location|refresh|x-accel-.*|x-(?:lighttpd-)?send-?file.*",
    "(?:repr-)?digest|signature(?:-input)?",
    "(?:.+-)?cache-control|edge-control|surrogate-(?:control|key)|(?:.+-)?cache-tags?|expires|age|pragma",
  ].join("|")})$`,
  "i",
);

/**
 * Whether a header describes the body that a failed handler was about to send. All other headers, such as those of
 * CORS, are kept.
 */
export function isRepresentationHeader(name: string): boolean {
  return REPRESENTATION.test(name);
}
