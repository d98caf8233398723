/** Why a request's context is cancelled when its caller has gone away before the response was out. */
export class ClientDisconnected extends Error {
  override readonly name = "ClientDisconnected";
  readonly code = "CLIENT_DISCONNECTED";

  constructor(message = "client disconnected") {
    super(message);
  }
}

/** Why a request's context is cancelled when it has been answered: nothing that still runs under it can matter to the caller. */
export class ResponseSent extends Error {
  override readonly name = "ResponseSent";
  readonly code = "RESPONSE_SENT";

  constructor(message = "response sent") {
    super(message);
  }
}

/** Why a request's context is cancelled when its server is being drained and cannot wait any longer; and why a new one is refused. */
export class ServerDraining extends Error {
  override readonly name = "ServerDraining";
  readonly code = "SERVER_DRAINING";

  constructor(message = "server draining") {
    super(message);
  }
}

/** Why a request is refused, before any of it is run, by a server that has more to do than it can: see `AdmissionOptions`. */
export class ServerOverloaded extends Error {
  override readonly name = "ServerOverloaded";
  readonly code = "SERVER_OVERLOADED";

  constructor(message = "server overloaded") {
    super(message);
  }
}

/** The request does not say, or does not prove, who it is for. */
export class Unauthenticated extends Error {
  override readonly name = "Unauthenticated";
  readonly code = "UNAUTHENTICATED";
  /** What the answer's `WWW-Authenticate` says (RFC 9110, 11.6.1). */
  readonly challenge: string;

  constructor(message = "unauthenticated", options: ErrorOptions & { challenge?: string } = {}) {
    super(message, options);
    this.challenge = options.challenge ?? "Bearer";
  }
}

/** A deadline header that does not follow its grammar. */
export class InvalidDeadline extends Error {
  override readonly name = "InvalidDeadline";
  readonly code = "INVALID_DEADLINE";
  readonly header: string;

  constructor(header: string, grammar: string, value: string) {
    const shown = value.length > 40 ? `${value.slice(0, 40)}…` : value;
    super(
      `Cannot read the header ${header}: it must be ${grammar}, sent once: current value is ${JSON.stringify(shown)}`,
    );
    this.header = header;
  }
}

/** A header that must be sent once, and was sent more often: one of them may have been put there by somebody else. */
export class InvalidHeader extends Error {
  override readonly name = "InvalidHeader";
  readonly code = "INVALID_HEADER";
  readonly header: string;

  constructor(header: string) {
    super(`Cannot read the header ${header}: it must be sent once`);
    this.header = header;
  }
}

/** The request is for somebody known, who may not have what it asks for. */
export class Forbidden extends Error {
  override readonly name = "Forbidden";
  readonly code = "FORBIDDEN";
  /** What the answer's `WWW-Authenticate` says, if anything. */
  readonly challenge: string | undefined;

  constructor(message = "forbidden", options: ErrorOptions & { challenge?: string } = {}) {
    super(message, options);
    this.challenge = options.challenge;
  }
}
