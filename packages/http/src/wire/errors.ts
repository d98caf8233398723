import { brand, CLIENT_CLOSED_REQUEST, STATUS } from "@throughline/context/internal";

/**
 * An error of a request with the properties of http-errors, which Express, Koa, Fastify, Nest and h3 read: the response
 * status, whether the client may see the message, and response headers.
 */
export abstract class RequestError extends Error {
  abstract readonly code: string;
  /** The HTTP status of the response. */
  declare readonly statusCode: number;
  /** An alias of `statusCode`. */
  declare readonly status: number;
  /** Whether the client may see the message: true below 500. */
  declare readonly expose: boolean;
  /** Response headers, such as `WWW-Authenticate`. */
  declare readonly headers?: Readonly<Record<string, string>>;
}

/** The cancellation cause if the client disconnects before the response is complete. */
export class ClientDisconnected extends RequestError {
  override readonly name = "ClientDisconnected";
  readonly code = "CLIENT_DISCONNECTED";

  constructor(message = "client disconnected") {
    super(message);
  }
}

/** The cancellation cause after the response was sent: work that still runs under the context cannot affect it. */
export class ResponseSent extends RequestError {
  override readonly name = "ResponseSent";
  readonly code = "RESPONSE_SENT";

  constructor(message = "response sent") {
    super(message);
  }
}

/**
 * The server shuts down (503). The cancellation cause of requests that are still running when the drain times out, and
 * the error of new requests, which are rejected.
 */
export class ServerDraining extends RequestError {
  override readonly name = "ServerDraining";
  readonly code = "SERVER_DRAINING";
  // Another instance can serve the request immediately.
  override readonly headers: Readonly<Record<string, string>> = { "retry-after": "0" };

  constructor(message = "server draining") {
    super(message);
  }
}

/** The range of `Retry-After` of an overloaded server, in seconds. */
const RETRY_AFTER_SECONDS = { min: 1, max: 3 };

/** An overloaded server rejects the request before a handler runs (503). See `AdmissionOptions`. */
export class ServerOverloaded extends RequestError {
  override readonly name = "ServerOverloaded";
  readonly code = "SERVER_OVERLOADED";
  // Random, so that the clients do not all retry at the same time.
  override readonly headers: Readonly<Record<string, string>> = {
    "retry-after": String(
      RETRY_AFTER_SECONDS.min + Math.floor(Math.random() * (RETRY_AFTER_SECONDS.max - RETRY_AFTER_SECONDS.min + 1)),
    ),
  };

  constructor(message = "server overloaded") {
    super(message);
  }
}

/** The request is not authenticated (401). */
export class Unauthenticated extends RequestError {
  override readonly name = "Unauthenticated";
  readonly code = "UNAUTHENTICATED";
  /** The `WWW-Authenticate` header (RFC 9110, 11.6.1). If it is not a valid header value, `Bearer` is sent instead. */
  readonly challenge: string;
  override readonly headers: Readonly<Record<string, string>>;

  constructor(message = "unauthenticated", options: ErrorOptions & { challenge?: string } = {}) {
    super(message, options);
    this.challenge = options.challenge ?? "Bearer";
    this.headers = { "www-authenticate": isHeaderValue(this.challenge) ? this.challenge : "Bearer" };
  }
}

/** A deadline header is malformed (400). */
export class InvalidDeadline extends RequestError {
  override readonly name = "InvalidDeadline";
  readonly code = "INVALID_DEADLINE";
  readonly header: string;

  constructor(header: string, grammar: string, value: string) {
    const shown = value.length > 40 ? `${value.slice(0, 40)}…` : value;
    super(`Cannot read the header ${header}: it must be ${grammar}, sent once; received ${JSON.stringify(shown)}`);
    this.header = header;
  }
}

/** A header is malformed, or was sent more than once, so that one of its values may be forged (400). */
export class InvalidHeader extends RequestError {
  override readonly name = "InvalidHeader";
  readonly code = "INVALID_HEADER";
  readonly header: string;

  constructor(header: string, wanted = "sent once") {
    super(`Cannot read the header ${header}: it must be ${wanted}`);
    this.header = header;
  }
}

/** The request is authenticated, but not allowed (403). */
export class Forbidden extends RequestError {
  override readonly name = "Forbidden";
  readonly code = "FORBIDDEN";
  /** The `WWW-Authenticate` header, if any. It is not sent if it is not a valid header value. */
  readonly challenge: string | undefined;
  override readonly headers: Readonly<Record<string, string>> = {};

  constructor(message = "forbidden", options: ErrorOptions & { challenge?: string } = {}) {
    super(message, options);
    this.challenge = options.challenge;
    if (this.challenge !== undefined && isHeaderValue(this.challenge)) {
      this.headers = { "www-authenticate": this.challenge };
    }
  }
}

/** Whether Node and fetch accept the value of a header (RFC 9110, 5.5). */
function isHeaderValue(value: unknown): boolean {
  return typeof value === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

const STATUSES = new Map<{ readonly name: string; readonly prototype: object }, number>([
  [ClientDisconnected, CLIENT_CLOSED_REQUEST],
  [ResponseSent, CLIENT_CLOSED_REQUEST],
  [ServerDraining, 503],
  [ServerOverloaded, 503],
  [Unauthenticated, 401],
  [InvalidDeadline, 400],
  [InvalidHeader, 400],
  [Forbidden, 403],
]);

// On the prototypes, like http-errors: `util.inspect` prints own properties with every error.
for (const [type, status] of STATUSES) {
  Object.assign(type.prototype, { statusCode: status, status, expose: status < 500, [STATUS]: status });
  // So that `instanceof` holds for errors of another installed copy of this package.
  brand(type, Symbol.for(`@throughline/http/${type.name}`));
}
