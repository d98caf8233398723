/** Additional attributes of SERVER and CLIENT spans. OpenTelemetry defines none for deadlines and cancellation. */
export const ATTR = {
  /** Milliseconds left when the request arrived or was sent. */
  BUDGET: "throughline.deadline.budget_ms",
  /** Who set the deadline. If a deadline ended the span, the one that did: it may be an earlier one of a call. */
  SOURCE: "throughline.deadline.source",
  /** What ended the request or call: `response`, `refusal`, `deadline`, `client`, `cancel`, `error`. */
  ENDED_BY: "throughline.ended_by",
  /** The phase in which a call ended early: `queue`, `connect`, `headers`, `body`; see `CallPhase`. */
  PHASE: "throughline.call.phase",
} as const;

/** The value of `error.type` after the deadline. */
export const DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED";

/** Query parameters with secret values: those of OpenTelemetry's `url.query`, of OAuth 2.0, passwords and API keys. */
const SECRET_PARAMETERS = (
  "AWSAccessKeyId Signature sig X-Amz-Credential X-Amz-Security-Token X-Amz-Signature X-Goog-Signature " +
  "access_token client_secret code id_token refresh_token token password api_key apikey"
).split(" ");

/**
 * A pattern for a character, plain or percent-encoded. It may be encoded several times, as in a URL that is itself a
 * parameter.
 */
function encodable(character: string): string {
  const codes = [character.toLowerCase(), character.toUpperCase()].map((each) => each.charCodeAt(0).toString(16));
  return `(?:[${character}]|%(?:25)*(?:${codes.join("|")}))`;
}

/**
 * Matches a secret parameter; group 1 is all before the value. The value ends at a plain `&`, because it may contain an
 * encoded one. The conventions require the exact case, but servers may ignore case, so the pattern does too.
 */
const SECRETS = new RegExp(
  `((?:${["?", "&", ";", "#"].map(encodable).join("|")})` +
    `(?:${SECRET_PARAMETERS.map((name) => name.split("").map(encodable).join("")).join("|")})${encodable("=")})[^&]*`,
  "gi",
);

/**
 * Replaces the values of secret parameters by `REDACTED`.
 *
 * @param query with its `?`
 */
export function redactQuery(query: string): string {
  if (!query.includes("=") && !query.includes("%")) return query;
  return query.replace(SECRETS, "$1REDACTED");
}

/** Formats a URL for a span, without credentials, fragment and the values of secret parameters. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${redactQuery(url.search)}`;
}

/** Returns the port of a URL, also if it is the default port of the scheme. */
export function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

const KNOWN_METHODS = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "TRACE",
  "QUERY",
]);

/** Returns the method, or `_OTHER` for an unknown one: the conventions require few distinct values. */
export function knownMethod(method: string): string {
  return KNOWN_METHODS.has(method) ? method : "_OTHER";
}
