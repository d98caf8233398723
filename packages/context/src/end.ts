import { now } from "./clock.ts";
import type { Deadline } from "./deadline.ts";
import { Canceled, type ContextError, DeadlineExceeded } from "./errors.ts";

/** Replaces the stack frames, which would only show a timer or the caller of `cancel`. */
const NO_FRAMES = "\n    (ended by its context; callsOf(error) lists the calls that this cut short)";

/**
 * Adds a line to the stack of an error without frames: tools that print or group errors by their stack ignore a stack
 * of one line.
 */
export function markStack<E extends Error>(error: E): E {
  if (Object.isExtensible(error) && error.stack?.includes("\n") === false) error.stack += NO_FRAMES;
  return error;
}

/**
 * When and why a subtree ended. All scopes that ended together share one End, and so one error object, which is created
 * at the first call of `err()`.
 */
export class End {
  /** On the monotonic clock. For a deadline it is the deadline itself, even if the timer was late. */
  readonly at: number;
  readonly #cause: unknown;
  /** The deadline, if it passed. */
  readonly #deadline: Deadline | undefined;
  /** When the end was detected. */
  readonly #detectedAt: number;
  #error: ContextError | undefined;

  private constructor(at: number, cause: unknown, deadline?: Deadline, detectedAt = at, error?: ContextError) {
    this.at = at;
    this.#cause = cause;
    this.#deadline = deadline;
    this.#detectedAt = detectedAt;
    this.#error = error;
  }

  static canceled(cause: unknown, at: number): End {
    return new End(at, cause);
  }

  /** An end by the error of another context, which stays the same object. */
  static of(error: ContextError, at: number): End {
    return new End(at, error.cause, undefined, at, error);
  }

  static expired(deadline: Deadline): End {
    return new End(deadline.at, deadline.cause, deadline, now());
  }

  get error(): ContextError {
    return (this.#error ??= this.#createError());
  }

  #createError(): ContextError {
    return markStack(withoutStack(() => (this.#deadline ? this.#deadlineExceeded(this.#deadline) : this.#canceled())));
  }

  /** The cause that was given to `cancel`, or else the error itself (Go: `context.Cause`). */
  get cause(): unknown {
    return this.#cause === undefined ? this.error : this.#cause;
  }

  #canceled(): Canceled {
    const cause = this.#cause;
    if (cause === undefined) return new Canceled();
    const detail = messageOf(cause);
    return new Canceled(detail === "" ? undefined : `context canceled: ${detail}`, { cause });
  }

  #deadlineExceeded(deadline: Deadline): DeadlineExceeded {
    const { budget, source } = deadline;
    const elapsed = Math.max(budget, this.#detectedAt - (deadline.at - budget));
    const by = source === undefined ? "" : ` set by ${source}`;
    const message = `context deadline exceeded: budget ${round(budget)} ms${by}, elapsed ${round(elapsed)} ms`;
    const cause = this.#cause === undefined ? undefined : { cause: this.#cause };
    return new DeadlineExceeded(message, { ...cause, budget, elapsed, source });
  }
}

/**
 * Returns the message of a cause, which may be any value. A getter or proxy that throws must not break the
 * cancellation.
 */
function messageOf(cause: unknown): string {
  try {
    const message: unknown = cause instanceof Error ? cause.message : cause;
    return typeof message === "string" ? message : "";
  } catch {
    return "";
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** Creates an error without capturing a stack, which would take five times as long and show no useful frames. */
export function withoutStack<T>(create: () => T): T {
  const limit = Error.stackTraceLimit;
  if (!Reflect.set(Error, "stackTraceLimit", 0)) return create();
  try {
    return create();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
