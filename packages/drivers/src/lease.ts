import { trace } from "@opentelemetry/api";
import { type Context, type Duration } from "@throughline/context";
import {
  callable,
  callAfter,
  canEnd,
  describeValue,
  milliseconds,
  onEnd,
  parentOf,
  refuseUnknown,
} from "@throughline/context/internal";
import { type CallPhase } from "@throughline/http";
import { ATTR, recordCall } from "@throughline/http/adapter";
import type { Release, Semaphore } from "@throughline/resilience";

/** On the span of the request: the end of its context has interrupted a command of a database. */
const EVENT_CALL_INTERRUPTED = "throughline.call.interrupted";
/** The command that was interrupted. */
const ATTR_DB_OPERATION_NAME = "db.operation.name";

/**
 * How to borrow, return and interrupt connections of type `C`. The subpaths of this package have one for each client
 * library.
 */
export interface Driver<C> {
  /** Borrows a connection from the pool. */
  acquire(): PromiseLike<C>;
  /** Returns a connection to the pool. Its statement has settled, and no cancel request is pending for it. */
  release(connection: C): void | PromiseLike<void>;
  /** Closes a connection that cannot be reused, in place of `release`. */
  destroy(connection: C): void | PromiseLike<void>;
  /**
   * Asks the server to stop the statement that the connection runs. It must not resolve before the server has processed
   * the request: a late cancel would stop the statement of the next borrower. It is called again while the statement
   * goes on.
   */
  cancel(connection: C): PromiseLike<unknown>;
  /** Whether the next borrower can use the connection: no transaction is open on it. @default always */
  isClean?(connection: C): boolean;
  /**
   * A semaphore with one permit for each connection of the pool: an ended context then leaves no waiter in the pool.
   */
  readonly permits?: Semaphore | undefined;
  /** The address of the server without credentials, for `callsOf(error)`: `"postgresql://db.internal:5432/shop"`. */
  readonly target?: string | undefined;
}

export interface LeaseOptions {
  /**
   * How long a statement may take to stop after its cancel. Then its connection is closed instead of being returned to
   * the pool. @default "1s"
   */
  grace?: Duration;
  /** What the work does, for `callsOf(error)`: `"SELECT"`. @default "LEASE" */
  operation?: string;
}

const ACTION = "lease a connection";

/**
 * Borrows a connection, runs `work` with it, and returns it. When `ctx` ends, the returned promise rejects at once with
 * `ctx.err()` itself, and the statement is canceled at the server. The connection goes back to the pool when the
 * statement has settled and the cancel was answered; after `grace` it is closed instead. Under a context that cannot
 * end, such as `background`, it only borrows and returns.
 *
 * Use it with a {@link Driver} of your own for a client library that has no subpath here.
 *
 * @throws ContextError `ctx.err()`, if the context has ended (nothing is borrowed then) or ends before the work is done
 * @throws TypeError, RangeError if an argument is wrong
 */
export async function lease<C, T>(
  ctx: Context,
  driver: Driver<C>,
  work: (connection: C) => PromiseLike<T> | T,
  options: LeaseOptions = {},
): Promise<T> {
  const context = parentOf(ctx, ACTION);
  callable("work", work, ACTION);
  const { grace = "1s", operation = "LEASE", ...others } = options;
  refuseUnknown(others, ACTION);
  const graceMs = milliseconds(grace, ACTION, "grace");
  const call = new Call(context, operation, driver.target);
  const borrowed = await borrow(context, driver, call);
  if (!canEnd(context)) return runUncancelable(borrowed, work);
  return runUnder(context, borrowed, work, { call, graceMs });
}

/** A borrowed connection. Exactly one of `giveBack` and `destroy` must be called for it. */
export interface Borrowed<C> {
  readonly connection: C;
  readonly driver: Driver<C>;
  readonly permit: Release | undefined;
}

/**
 * @throws ContextError `ctx.err()`, as soon as the context ends. A connection that the pool delivers later is returned.
 */
export async function borrow<C>(ctx: Context, driver: Driver<C>, call: Call): Promise<Borrowed<C>> {
  ctx.throwIfAborted();
  const { permits } = driver;
  let permit: Release | undefined;
  try {
    permit = permits?.tryAcquire() ?? (await permits?.acquire(ctx));
  } catch (error) {
    if (error === ctx.err()) call.interrupted("pool");
    throw error;
  }
  if (!canEnd(ctx)) {
    try {
      return { connection: await driver.acquire(), driver, permit };
    } catch (error) {
      permit?.();
      throw error;
    }
  }
  return new Promise((resolve, reject) => {
    let hasEnded = false;
    const end = onEnd(ctx, {
      contextEnded() {
        hasEnded = true;
        call.interrupted("pool");
        reject(ctx.err());
      },
    });
    driver.acquire().then(
      (connection) => {
        end.stop();
        const borrowed = { connection, driver, permit };
        return hasEnded ? giveBack(borrowed) : resolve(borrowed);
      },
      (error: unknown) => {
        end.stop();
        permit?.();
        reject(error);
      },
    );
  });
}

/** Returns the connection to its pool, or closes it if the next borrower cannot use it. */
export async function giveBack<C>({ connection, driver, permit }: Borrowed<C>): Promise<void> {
  try {
    await (driver.isClean?.(connection) === false ? driver.destroy(connection) : driver.release(connection));
  } finally {
    permit?.();
  }
}

/** Closes the connection. */
export async function destroy<C>({ connection, driver, permit }: Borrowed<C>): Promise<void> {
  try {
    await driver.destroy(connection);
  } finally {
    permit?.();
  }
}

async function runUncancelable<C, T>(borrowed: Borrowed<C>, work: (connection: C) => PromiseLike<T> | T): Promise<T> {
  try {
    return await work(borrowed.connection);
  } finally {
    await giveBack(borrowed);
  }
}

function runUnder<C, T>(
  ctx: Context,
  borrowed: Borrowed<C>,
  work: (connection: C) => PromiseLike<T> | T,
  { call, graceMs }: { readonly call: Call; readonly graceMs: number },
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isInterrupted = false;
    // `async` turns a synchronous throw of `work` into a rejection.
    const running = (async () => work(borrowed.connection))();
    const end = onEnd(ctx, {
      contextEnded() {
        isInterrupted = true;
        call.interrupted("query");
        reject(ctx.err());
        void stop(borrowed, running, graceMs).then((isStopped) => (isStopped ? giveBack(borrowed) : destroy(borrowed)));
      },
    });
    const settled = (settle: () => void): void => {
      if (isInterrupted) return;
      end.stop();
      // Settles after the connection was returned, so that the caller can borrow it again at once.
      giveBack(borrowed).then(settle, reject);
    };
    running.then(
      (value) => settled(() => resolve(value)),
      (error: unknown) => settled(() => reject(ctx.err() ?? error)),
    );
  });
}

/**
 * Cancels a statement at the server, and waits until it has settled and the cancel was answered. Before that, the
 * cancel could stop the next statement on the connection.
 *
 * @returns false if that takes longer than `graceMs`, or if the cancel fails: then the connection must be closed
 */
export async function stop<C>(
  { driver, connection }: Borrowed<C>,
  running: PromiseLike<unknown>,
  graceMs: number,
): Promise<boolean> {
  const settled = Promise.resolve(running).then(ignore, ignore);
  let isLate = false;
  const late = Promise.withResolvers<false>();
  const stopTimer = callAfter(graceMs, () => {
    isLate = true;
    late.resolve(false);
  });
  const canceled = async (): Promise<boolean> => {
    for (;;) {
      await driver.cancel(connection);
      if (isLate || (await isWithin(settled, RESEND_MS))) return !isLate;
    }
  };
  try {
    return await Promise.race([canceled(), late.promise]);
  } catch {
    return false;
  } finally {
    stopTimer();
  }
}

/** A cancel that arrives before its statement, or between two of its messages, has no effect: then it is sent again. */
const RESEND_MS = 100;

async function isWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const stopTimer = callAfter(ms, () => late.resolve(false));
  try {
    return await Promise.race([promise.then(() => true), late.promise]);
  } finally {
    stopTimer();
  }
}

function ignore(): void {}

/**
 * One use of a connection, which `callsOf(error)` and the active span report if the end of its context interrupts it.
 */
export class Call {
  readonly #ctx: Context;
  readonly #operation: string;
  readonly #target: string;
  readonly #from = performance.now();

  constructor(ctx: Context, operation: string, target = "") {
    this.#ctx = ctx;
    this.#operation = operation;
    this.#target = target;
  }

  interrupted(phase: CallPhase): void {
    const elapsed = performance.now() - this.#from;
    recordCall(this.#ctx.err(), { method: this.#operation, url: this.#target, attempt: 1, phase, elapsed });
    trace.getSpan(this.#ctx)?.addEvent(EVENT_CALL_INTERRUPTED, {
      [ATTR.PHASE]: phase,
      [ATTR_DB_OPERATION_NAME]: this.#operation,
    });
  }
}

/** @throws TypeError if the value lacks a required method */
export function requireMethods(name: string, value: unknown, methods: readonly string[], action: string): void {
  const object = value as Record<string, unknown> | null | undefined;
  if (methods.every((method) => typeof object?.[method] === "function")) return;
  throw new TypeError(
    `Cannot ${action}: '${name}' must have the methods ${methods.join(", ")}; received ${describeValue(value)}`,
  );
}
