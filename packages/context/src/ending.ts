import { now } from "./clock.ts";
import { Canceled, type ContextError, DeadlineExceeded } from "./errors.ts";
import type { Limit } from "./limit.ts";

/**
 * The end of a subtree: when it came, and why. All scopes that ended together hold the same one, so they share one
 * error object, which is made when somebody first asks for it.
 */
export class Ending {
  /** On the monotonic clock; for a deadline the deadline itself, however late the timer was. */
  readonly at: number;
  readonly limit: Limit | undefined;
  readonly #cause: unknown;
  readonly #noticed: number;
  #error: ContextError | undefined;

  private constructor(at: number, noticed: number, limit: Limit | undefined, cause: unknown, error?: ContextError) {
    this.at = at;
    this.limit = limit;
    this.#noticed = noticed;
    this.#cause = cause;
    this.#error = error;
  }

  static canceled(cause: unknown): Ending {
    const at = now();
    return new Ending(at, at, undefined, cause);
  }

  /** The end that a context error already stands for: it goes on as the same object. */
  static of(error: ContextError): Ending {
    const at = now();
    return new Ending(at, at, undefined, error.cause, error);
  }

  static expired(limit: Limit): Ending {
    return new Ending(limit.at, now(), limit, limit.cause);
  }

  get error(): ContextError {
    return (this.#error ??= withoutStack(() => (this.limit ? this.#deadlineExceeded(this.limit) : this.#canceled())));
  }

  /** What the canceller gave, else the error itself (Go: `context.Cause`). */
  get cause(): unknown {
    return this.#cause === undefined ? this.error : this.#cause;
  }

  #canceled(): Canceled {
    const cause = this.#cause;
    if (cause === undefined) return new Canceled();
    const reason = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : "";
    return new Canceled(reason === "" ? undefined : `context canceled: ${reason}`, { cause });
  }

  #deadlineExceeded(limit: Limit): DeadlineExceeded {
    const { budget, source } = limit;
    const elapsed = Math.max(budget, this.#noticed - (limit.at - budget));
    const by = source === undefined ? "" : ` set by ${source}`;
    const message = `context deadline exceeded: budget ${round(budget)} ms${by}, elapsed ${round(elapsed)} ms`;
    const cause = this.#cause === undefined ? undefined : { cause: this.#cause };
    return new DeadlineExceeded(message, { ...cause, budget, elapsed, source });
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** Makes an error without capturing a stack, which would cost five times the rest and point nowhere useful. */
function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  if (!Reflect.set(Error, "stackTraceLimit", 0)) return make();
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
