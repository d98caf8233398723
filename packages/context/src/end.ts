import { now } from "./clock.ts";
import type { Deadline } from "./deadline.ts";
import { Canceled, type ContextError, DeadlineExceeded } from "./errors.ts";

/** Stands in for stack frames, which would only show a timer or the caller of `cancel`. */
const NO_FRAMES = "\n    (ended by its context; callsOf(error) lists the calls that this cut short)";

/** Adds a line to the stack of an error without frames: tools that print or group errors by their stack ignore one of a single line. */
export function markStack<E extends Error>(error: E): E {
  if (Object.isExtensible(error) && error.stack?.includes("\n") === false) error.stack += NO_FRAMES;
  return error;
}

/**
 * When and why a subtree ended. All scopes that ended together share one End, and so one error object, which is created at the
 * first call of `err()`.
 */
export class End {
  /** On the monotonic clock; for a deadline the deadline itself, however late the timer was. */
  readonly at: number;
  readonly #cause: unknown;
  /** The deadline that passed, and when that was noticed. */
  readonly #deadline: Deadline | undefined;
  readonly #noticed: number;
  #error: ContextError | undefined;

  private constructor(at: number, cause: unknown, deadline?: Deadline, noticed = at, error?: ContextError) {
    this.at = at;
    this.#cause = cause;
    this.#deadline = deadline;
    this.#noticed = noticed;
    this.#error = error;
  }

  static canceled(cause: unknown, at: number): End {
    return new End(at, cause);
  }

  /** The end that a context error already stands for: it goes on as the same object. */
  static of(error: ContextError, at: number): End {
    return new End(at, error.cause, undefined, at, error);
  }

  static expired(deadline: Deadline): End {
    return new End(deadline.at, deadline.cause, deadline, now());
  }

  get error(): ContextError {
    return (this.#error ??= this.#made());
  }

  #made(): ContextError {
    return markStack(withoutStack(() => (this.#deadline ? this.#deadlineExceeded(this.#deadline) : this.#canceled())));
  }

  /** What the canceller gave, else the error itself (Go: `context.Cause`). */
  get cause(): unknown {
    return this.#cause === undefined ? this.error : this.#cause;
  }

  #canceled(): Canceled {
    const cause = this.#cause;
    if (cause === undefined) return new Canceled();
    const reason = reasonOf(cause);
    return new Canceled(reason === "" ? undefined : `context canceled: ${reason}`, { cause });
  }

  #deadlineExceeded(deadline: Deadline): DeadlineExceeded {
    const { budget, source } = deadline;
    const elapsed = Math.max(budget, this.#noticed - (deadline.at - budget));
    const by = source === undefined ? "" : ` set by ${source}`;
    const message = `context deadline exceeded: budget ${round(budget)} ms${by}, elapsed ${round(elapsed)} ms`;
    const cause = this.#cause === undefined ? undefined : { cause: this.#cause };
    return new DeadlineExceeded(message, { ...cause, budget, elapsed, source });
  }
}

/** What a cause says of itself, if it can be asked: it may be anything, and must not keep a cancel from being told. */
function reasonOf(cause: unknown): string {
  try {
    const said: unknown = cause instanceof Error ? cause.message : cause;
    return typeof said === "string" ? said : "";
  } catch {
    return "";
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** Makes an error without capturing a stack, which would cost five times the rest and point nowhere useful. */
export function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  if (!Reflect.set(Error, "stackTraceLimit", 0)) return make();
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
