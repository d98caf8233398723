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
  /** The HTTP status that stands for this error: frameworks that know http-errors (Koa, Fastify, Nest, h3) answer with it. */
  abstract readonly statusCode: number;
  /** The same as `statusCode`, for frameworks that read this name. */
  abstract readonly status: number;
  /** Whether a framework may show the message to the client (http-errors): true below 500. */
  abstract readonly expose: boolean;
}

/**
 * Under this symbol an error of a sibling package says which HTTP status stands for it. A cancellation that it caused has the same: one
 * by a server that drains is 503. Statuses of other errors are not taken over: that of an upstream's response is not ours.
 */
export const STATUS: unique symbol = Symbol.for("@throughline/context/status");

/** Not registered, but what proxies write into their logs for a client that closed the connection (nginx). */
export const CLIENT_CLOSED_REQUEST = 499;

/** The context was cancelled (Go: `context.Canceled`). Named as the platform names an abort. */
export class Canceled extends ContextError {
  declare readonly name: "AbortError";
  declare readonly code: "ABORT_ERR";

  constructor(message = "context canceled", options?: ErrorOptions) {
    super(message, options);
  }

  get statusCode(): number {
    return (this.cause as { [STATUS]?: number } | null | undefined)?.[STATUS] ?? CLIENT_CLOSED_REQUEST;
  }

  get status(): number {
    return this.statusCode;
  }

  get expose(): boolean {
    return this.statusCode < 500;
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
  declare readonly statusCode: 504;
  declare readonly status: 504;
  declare readonly expose: false;
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
Object.assign(DeadlineExceeded.prototype, {
  name: "TimeoutError",
  code: "DEADLINE_EXCEEDED",
  timeout: true,
  statusCode: 504,
  status: 504,
  expose: false,
});

brand(ContextError, Symbol.for("@throughline/context/ContextError"));
brand(Canceled, Symbol.for("@throughline/context/Canceled"));
brand(DeadlineExceeded, Symbol.for("@throughline/context/DeadlineExceeded"));
