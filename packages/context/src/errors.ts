import { brand } from "./brand.ts";

/** What to branch on: it never changes, while messages may. */
export type ContextErrorCode = "ABORT_ERR" | "DEADLINE_EXCEEDED";

/**
 * Why a context ended: {@link Canceled} or {@link DeadlineExceeded}, never anything else (Go: `ctx.Err()`).
 *
 * One object serves the whole subtree that ended: `ctx.err()`, `ctx.signal.reason` and the rejection of whatever
 * waited are identical. Its `cause` is what the canceller gave. It is made without a stack: the only one to be had is
 * that of a timer or of a closing socket, never that of the code which waits.
 */
export abstract class ContextError extends Error {
  abstract readonly code: ContextErrorCode;
}

/** The context was cancelled (Go: `context.Canceled`). Named as the platform names an abort. */
export class Canceled extends ContextError {
  declare readonly name: "AbortError";
  declare readonly code: "ABORT_ERR";

  constructor(message = "context canceled", options?: ErrorOptions) {
    super(message, options);
  }
}

/** Whose clock fired, and where the time went. Times are milliseconds on the monotonic clock. */
export interface DeadlineDetails {
  /** What was granted when the deadline was set. */
  readonly budget: number;
  /** What had passed since then when the context ended. */
  readonly elapsed: number;
  /** Who set it, as given to `withTimeout` or `withDeadline`: a header, an option of a server. */
  readonly source?: string | undefined;
}

/** The deadline passed (Go: `context.DeadlineExceeded`). Named as the platform names a timeout. */
export class DeadlineExceeded extends ContextError implements Partial<DeadlineDetails> {
  declare readonly name: "TimeoutError";
  declare readonly code: "DEADLINE_EXCEEDED";
  /** As Go's `net.Error` has it. */
  declare readonly timeout: true;
  declare readonly budget?: number;
  declare readonly elapsed?: number;
  declare readonly source?: string;

  constructor(message = "context deadline exceeded", options: ErrorOptions & Partial<DeadlineDetails> = {}) {
    super(message, options);
    if (options.budget !== undefined) this.budget = options.budget;
    if (options.elapsed !== undefined) this.elapsed = options.elapsed;
    if (options.source !== undefined) this.source = options.source;
  }
}

// On the prototypes, as the platform's own errors have them: an error is made for every request that is cancelled.
Object.assign(Canceled.prototype, { name: "AbortError", code: "ABORT_ERR" });
Object.assign(DeadlineExceeded.prototype, { name: "TimeoutError", code: "DEADLINE_EXCEEDED", timeout: true });

brand(ContextError, Symbol.for("@throughline/context/ContextError"));
brand(Canceled, Symbol.for("@throughline/context/Canceled"));
brand(DeadlineExceeded, Symbol.for("@throughline/context/DeadlineExceeded"));
