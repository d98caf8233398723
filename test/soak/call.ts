/** A request to send. */
export interface Wanted {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body: announced and sent bytes. */
  readonly upload?: { readonly announced: number; readonly sent: number } | undefined;
  /** How often it is sent in a pipeline. */
  readonly times: number;
}

/**
 * The result of a request for its client: the status of a complete response; "aborted" if the response is incomplete or
 * missing; "left" if the client disconnected; "session lost" if the client of another request reset the shared session;
 * "hung" if nothing happened for too long.
 */
export type Seen = `${number}` | "aborted" | "left" | "session lost" | "hung";

/** A running request of a client. */
export abstract class Call {
  /** The result. Never rejects. */
  readonly end: Promise<Seen>;
  readonly since: number = performance.now();
  /** Called for each chunk of the response. */
  onData: (() => void) | undefined = undefined;
  readonly #resolve: (seen: Seen) => void;
  #isOver = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<Seen>();
    this.end = promise;
    this.#resolve = resolve;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sets the result; later calls have no effect. */
  settle(seen: Seen): void {
    this.#isOver = true;
    this.#resolve(seen);
  }

  /**
   * Disconnects without waiting for a response.
   *
   * @param random selects how, uniform in [0, 1)
   */
  leave(random: number): void {
    if (this.#isOver) return;
    this.settle("left");
    // The same number has selected the time, so other digits of it are used here.
    this.abandon((random * 64) % 1 < this.resetShare);
  }

  /** Disconnects because nothing happened for too long. */
  giveUp(): void {
    if (this.#isOver) return;
    this.settle("hung");
    this.abandon(true);
  }

  /** The share of disconnects that reset the connection or session, with all other requests on it. */
  protected abstract readonly resetShare: number;
  protected abstract abandon(isReset: boolean): void;
  /** Stops reading the response. */
  abstract pause(): void;
  abstract resume(): void;
}

/** Sends requests one at a time over connections that it manages. */
export interface Sender {
  send(wanted: Wanted): Call;
  close(): void;
}
