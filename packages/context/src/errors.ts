import { brand } from "./brand.ts";

/** Stable codes to branch on. Messages may change. */
export type ContextErrorCode = "ABORT_ERR" | "DEADLINE_EXCEEDED";

/**
 * Why a context ended: {@link Canceled} or {@link DeadlineExceeded} (Go: `ctx.Err()`).
 *
 * All contexts that ended together share one error object: `ctx.err()`, `ctx.signal.reason` and the rejections of
 * pending calls are identical. Its `cause` is the cause that was given to `cancel`. It has no stack frames: they would
 * show a timer or a closing socket, never the code that waits.
 */
export abstract class ContextError extends Error {
  abstract readonly code: ContextErrorCode;
  /**
   * The HTTP status of a response to this error. Frameworks that follow http-errors (Koa, Fastify, Nest, h3) use it.
   */
  abstract readonly statusCode: number;
  /** The same as `statusCode`, for frameworks that read this name. */
  abstract readonly status: number;
  /** Whether a framework may show the message to the client (http-errors): true below 500. */
  abstract readonly expose: boolean;
}

/**
 * Property of errors of sibling packages: the HTTP status of a response to the error. A cancellation with such a cause
 * has the same status: a cancellation by a draining server is 503. The `status` of other errors is ignored, as it may
 * be the status of an upstream's response.
 */
export const STATUS: unique symbol = Symbol.for("@throughline/context/status");

/** The client closed the connection. Not a registered status; nginx and other proxies write it to their logs. */
export const CLIENT_CLOSED_REQUEST = 499;

/** The context was canceled (Go: `context.Canceled`). It has the name and code of the platform's AbortError. */
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

/** The deadline that passed. Times are milliseconds on the monotonic clock. */
export interface DeadlineDetails {
  /** The time granted when the deadline was set. */
  readonly budget: number;
  /** The time from then until the context ended. */
  readonly elapsed: number;
  /** The `source` that was given to `withTimeout` or `withDeadline`, such as a header or an option. */
  readonly source?: string | undefined;
}

/** The deadline passed (Go: `context.DeadlineExceeded`). It has the name of the platform's TimeoutError. */
export class DeadlineExceeded extends ContextError implements Partial<DeadlineDetails> {
  declare readonly name: "TimeoutError";
  declare readonly code: "DEADLINE_EXCEEDED";
  /** As `Timeout()` of Go's `net.Error`. */
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

// On the prototypes, as in the platform's own errors: an error is created for every canceled request.
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
