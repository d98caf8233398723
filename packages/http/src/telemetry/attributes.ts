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

/** Value of `error.type` for a deadline that passed. */
export const DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED";

/** Query parameters whose values are secrets: those of OpenTelemetry's conventions (`url.query`), of OAuth 2.0, passwords and API keys. */
const SECRET_PARAMETERS = (
  "AWSAccessKeyId Signature sig X-Amz-Credential X-Amz-Security-Token X-Amz-Signature X-Goog-Signature " +
  "access_token client_secret code id_token refresh_token token password api_key apikey"
).split(" ");

/** A pattern for a character, also percent-encoded, once or several times, as in a URL that is itself a parameter. */
function encodable(character: string): string {
  const codes = [character.toLowerCase(), character.toUpperCase()].map((each) => each.charCodeAt(0).toString(16));
  return `(?:[${character}]|%(?:25)*(?:${codes.join("|")}))`;
}

/**
 * A secret parameter, with what precedes its value in a group of its own. The value ends only at an `&` that is not encoded: it may contain one that
 * is. The conventions ask for names by their exact case; servers that do not mind it would leak the others.
 */
const SECRETS = new RegExp(
  `((?:${["?", "&", ";", "#"].map(encodable).join("|")})` +
    `(?:${SECRET_PARAMETERS.map((name) => name.split("").map(encodable).join("")).join("|")})${encodable("=")})[^&]*`,
  "gi",
);

/** A query fit for a span: the values of secret parameters are replaced by `REDACTED`. @param query with its `?` */
export function redactQuery(query: string): string {
  if (!query.includes("=") && !query.includes("%")) return query;
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
