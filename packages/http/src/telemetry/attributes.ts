/** Attributes of ours on SERVER and CLIENT spans. OpenTelemetry has no names for a deadline or a cancellation. */
export const ATTR = {
  /** Milliseconds left when the request arrived, or was sent. */
  BUDGET: "throughline.deadline.budget_ms",
  /** Who set that deadline. */
  SOURCE: "throughline.deadline.source",
  /** What ended the request: see {@link EndedBy}. */
  ENDED_BY: "throughline.ended_by",
  /** How far a call had come when it was cut short: `queue`, `connect`, `headers`, `body`. */
  PHASE: "throughline.call.phase",
} as const;

/** A response in full; a refusal before any handler ran; the deadline; the client that went away; another cancellation; an error. */
export type EndedBy = "response" | "refusal" | "deadline" | "client" | "cancel" | "error";

/** Value of `error.type` for a deadline that passed. */
export const DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED";

/** Query parameters whose values OpenTelemetry's conventions ask to redact. */
const SECRETS = /([?&](?:AWSAccessKeyId|Signature|sig|X-Goog-Signature)=)[^&#]*/gi;

export function redactQuery(query: string): string {
  return query.replace(SECRETS, "$1REDACTED");
}

/** A URL fit for a span: without credentials, fragment and known secrets. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${redactQuery(url.search)}`;
}

/** The port that a URL leads to, also where it is that of its scheme and not written. */
export function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

const KNOWN = new Set(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"]);

/** The request method as the conventions want it, of few distinct values. */
export function knownMethod(method: string): string {
  return KNOWN.has(method) ? method : "_OTHER";
}
