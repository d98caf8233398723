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
