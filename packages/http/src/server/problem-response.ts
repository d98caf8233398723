import Negotiator from "negotiator";

import { OUTCOME_HEADER } from "../wire/outcome-header.ts";
import type { Problem } from "./problem.ts";

/** A response of ours, for whatever host. */
export interface ProblemResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a problem can be said in; the first is for whoever takes anything. */
const MEDIA_TYPES = ["application/problem+json", "application/json", "text/plain", "text/html"] as const;

/**
 * A problem as a response: a problem document, or a line of text for a client that asks for text only.
 *
 * @param started whether a handler had begun: what was refused before is safe to send again, whatever its method
 * @param accept the request's header `Accept`
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
 * Headers that describe the body which a failed handler was about to send: its form (RFC 9110, 8), digests and signatures of it, where it is
 * (`Location`, and the files that a proxy sends for `X-Accel-Redirect` or `X-Sendfile`), and how long shared caches may keep it (RFC 9213 and what
 * content delivery networks have in its place).
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

/** Whether a header describes the body that a failed handler was about to send; others, as those of CORS, stay with the response. */
export function isRepresentationHeader(name: string): boolean {
  return REPRESENTATION.test(name);
}
