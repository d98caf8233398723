/** What is to be sent. */
export interface Wanted {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of a body: how many are announced, and how many of them are sent. */
  readonly upload?: { readonly announced: number; readonly sent: number } | undefined;
  /** How often, one right behind the other: in a pipeline. */
  readonly times: number;
}

/**
 * What a client saw of a request: the status of an answer that came whole; that the answer, or all of it, was missing; that the client
 * left; that another request's client took the connection along; that nothing came of it for too long.
 */
export type Seen = `${number}` | "cut off" | "left" | "taken along" | "hung";

/** One request under way, in the hands of its client. */
export abstract class Call {
  /** How it ended. Never rejects. */
  readonly end: Promise<Seen>;
  readonly since: number = performance.now();
  /** Called for each piece of the answer. */
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

  /** The first end counts. */
  settle(seen: Seen): void {
    this.#isOver = true;
    this.#resolve(seen);
  }

  /**
   * Leaves without waiting for an answer.
   *
   * @param luck says how, evenly in [0, 1)
   */
  leave(luck: number): void {
    if (this.#isOver) return;
    this.settle("left");
    // When to leave was chosen by the same luck: here it is its other digits.
    this.abandon((luck * 64) % 1 < this.harshness);
  }

  /** Leaves as nothing has come of it for too long. */
  giveUp(): void {
    if (this.#isOver) return;
    this.settle("hung");
    this.abandon(true);
  }

  /** How many of those that leave reset their connection, with whatever else goes over it. */
  protected abstract readonly harshness: number;
  protected abstract abandon(isHarsh: boolean): void;
  /** Stops reading. */
  abstract pause(): void;
  abstract resume(): void;
}

/** What a client sends its requests over, one at a time. */
export interface Line {
  send(wanted: Wanted): Call;
  close(): void;
}
