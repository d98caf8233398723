import { brand, CLIENT_CLOSED_REQUEST, STATUS } from "@throughline/context/internal";

/**
 * An error of a request, with what frameworks that know http-errors (Express, Koa, Fastify, Nest, h3) read from it: the status to answer
 * with, whether the message may be shown to the client, and headers of the answer.
 */
export abstract class RequestError extends Error {
  abstract readonly code: string;
  /** The HTTP status that stands for this error. */
  declare readonly statusCode: number;
  /** The same as `statusCode`. */
  declare readonly status: number;
  /** Whether the message may be shown to the client: true below 500. */
  declare readonly expose: boolean;
  /** Headers that belong to the answer, such as `WWW-Authenticate`. */
  declare readonly headers?: Readonly<Record<string, string>>;
}

/** Why a request's context is cancelled when its caller has gone away before the response was out. */
export class ClientDisconnected extends RequestError {
  override readonly name = "ClientDisconnected";
  readonly code = "CLIENT_DISCONNECTED";

  constructor(message = "client disconnected") {
    super(message);
  }
}

/** Why a request's context is cancelled when it has been answered: nothing that still runs under it can matter to the caller. */
export class ResponseSent extends RequestError {
  override readonly name = "ResponseSent";
  readonly code = "RESPONSE_SENT";

  constructor(message = "response sent") {
    super(message);
  }
}

/** Why a request's context is cancelled when its server is being drained and cannot wait any longer; and why a new one is refused. */
export class ServerDraining extends RequestError {
  override readonly name = "ServerDraining";
  readonly code = "SERVER_DRAINING";
  // Another server is there at once.
  override readonly headers: Readonly<Record<string, string>> = { "retry-after": "0" };

  constructor(message = "server draining") {
    super(message);
  }
}

/** Seconds that the clients of an overloaded server are asked to wait, at least and at most. */
const RETRY_AFTER = { least: 1, most: 3 };

/** Why a request is refused, before any of it is run, by a server that has more to do than it can: see `AdmissionOptions`. */
export class ServerOverloaded extends RequestError {
  override readonly name = "ServerOverloaded";
  readonly code = "SERVER_OVERLOADED";
  // Clients that were all told the same time would all come back at once.
  override readonly headers: Readonly<Record<string, string>> = {
    "retry-after": String(RETRY_AFTER.least + Math.floor(Math.random() * (RETRY_AFTER.most - RETRY_AFTER.least + 1))),
  };

  constructor(message = "server overloaded") {
    super(message);
  }
}

/** The request is not authenticated (401). */
export class Unauthenticated extends RequestError {
  override readonly name = "Unauthenticated";
  readonly code = "UNAUTHENTICATED";
  /** The answer's `WWW-Authenticate` (RFC 9110, 11.6.1). One that is no valid header value is not sent; `Bearer` is sent instead. */
  readonly challenge: string;
  override readonly headers: Readonly<Record<string, string>>;

  constructor(message = "unauthenticated", options: ErrorOptions & { challenge?: string } = {}) {
    super(message, options);
    this.challenge = options.challenge ?? "Bearer";
    this.headers = { "www-authenticate": isHeaderValue(this.challenge) ? this.challenge : "Bearer" };
  }
}

/** A deadline header that does not follow its grammar. */
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

/** A header that cannot be read: it was sent more than once, so that one of the values may be forged, or its value is none. */
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
  /** The answer's `WWW-Authenticate`, if any. One that is no valid header value is not sent. */
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

/** What Node and fetch take as the value of a header (RFC 9110, 5.5). */
function isHeaderValue(value: unknown): boolean {
  return typeof value === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** The status of each. */
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

// On the prototypes, where http-errors has them too: an own property of each error would be printed with it.
for (const [type, status] of STATUSES) {
  Object.assign(type.prototype, { statusCode: status, status, expose: status < 500, [STATUS]: status });
  // Two installed copies of this package answer each other's errors.
  brand(type, Symbol.for(`@throughline/http/${type.name}`));
}
