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
import { noteCall } from "@throughline/http/adapter";
import type { Release, Semaphore } from "@throughline/resilience";

/** How to borrow, return and interrupt connections of type `C`. The subpaths of this package have one for each client library. */
export interface Driver<C> {
  /** Borrows a connection from the pool. */
  acquire(): PromiseLike<C>;
  /** Returns a connection to the pool. Its statement has settled, and no cancel is on its way to it. */
  release(connection: C): void | PromiseLike<void>;
  /** Closes a connection that cannot be reused, in place of `release`. */
  destroy(connection: C): void | PromiseLike<void>;
  /**
   * Asks the server to stop the statement that the connection runs. It must resolve only when the server has processed
   * the request: a cancel that arrives later would hit the statement of the next borrower. It is called again while the
   * statement goes on.
   */
  cancel(connection: C): PromiseLike<unknown>;
  /** Whether the next borrower can use the connection: no transaction is open on it. @default always */
  isClean?(connection: C): boolean;
  /** As many places as the pool has connections: waiting for one then ends with the context, and leaves no waiter in the pool. */
  readonly places?: Semaphore | undefined;
  /** The address of the server without credentials, for `callsOf(error)`: `"postgresql://db.internal:5432/shop"`. */
  readonly target?: string | undefined;
}

export interface LeaseOptions {
  /**
   * How long a statement may take to stop after its cancel. Then its connection is closed instead of being returned to the pool. @default "1s"
   */
  grace?: Duration;
  /** What the work does, for `callsOf(error)`: `"SELECT"`. @default "LEASE" */
  operation?: string;
}

const ACTION = "lease a connection";

/**
 * Borrows a connection, runs `work` with it, and returns it. When `ctx` ends, the returned promise rejects at once with `ctx.err()` itself, the statement
 * that runs is canceled at the server, and the connection goes back to the pool only when the statement has settled and the cancel was answered; after
 * `grace` it is closed instead. Under a context that cannot end, such as `background`, it only borrows and returns.
 *
 * This is the core for client libraries that this package has no subpath for: write a {@link Driver} for it.
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
  if (!canEnd(context)) return runToEnd(borrowed, work);
  return runUnder(context, borrowed, work, { call, graceMs });
}

/** A borrowed connection. It must be given back once: by `giveBack` or by `destroy`. */
export interface Borrowed<C> {
  readonly connection: C;
  readonly driver: Driver<C>;
  readonly place: Release | undefined;
}

/**
 * @throws ContextError `ctx.err()`, as soon as the context ends. A connection that the pool delivers later is returned.
 */
export async function borrow<C>(ctx: Context, driver: Driver<C>, call: Call): Promise<Borrowed<C>> {
  ctx.throwIfAborted();
  const { places } = driver;
  let place: Release | undefined;
  try {
    place = places?.tryAcquire() ?? (await places?.acquire(ctx));
  } catch (error) {
    if (error === ctx.err()) call.cut("pool");
    throw error;
  }
  if (!canEnd(ctx)) {
    try {
      return { connection: await driver.acquire(), driver, place };
    } catch (error) {
      place?.();
      throw error;
    }
  }
  return new Promise((resolve, reject) => {
    let hasEnded = false;
    const end = onEnd(ctx, {
      contextEnded() {
        hasEnded = true;
        call.cut("pool");
        reject(ctx.err());
      },
    });
    driver.acquire().then(
      (connection) => {
        end.stop();
        const borrowed = { connection, driver, place };
        return hasEnded ? giveBack(borrowed) : resolve(borrowed);
      },
      (error: unknown) => {
        end.stop();
        place?.();
        reject(error);
      },
    );
  });
}

/** Returns the connection to its pool, or closes it if the next borrower cannot use it. */
export async function giveBack<C>({ connection, driver, place }: Borrowed<C>): Promise<void> {
  try {
    await (driver.isClean?.(connection) === false ? driver.destroy(connection) : driver.release(connection));
  } finally {
    place?.();
  }
}

/** Closes the connection. */
export async function destroy<C>({ connection, driver, place }: Borrowed<C>): Promise<void> {
  try {
    await driver.destroy(connection);
  } finally {
    place?.();
  }
}

async function runToEnd<C, T>(borrowed: Borrowed<C>, work: (connection: C) => PromiseLike<T> | T): Promise<T> {
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
    let isCut = false;
    // Without `async` a throw of the work would not be a rejection.
    const running = (async () => work(borrowed.connection))();
    const end = onEnd(ctx, {
      contextEnded() {
        isCut = true;
        call.cut("query");
        reject(ctx.err());
        void stop(borrowed, running, graceMs).then((isStopped) => (isStopped ? giveBack(borrowed) : destroy(borrowed)));
      },
    });
    const settled = (settle: () => void): void => {
      if (isCut) return;
      end.stop();
      // The caller may use the pool at once: its connection is back by then.
      giveBack(borrowed).then(settle, reject);
    };
    running.then(
      (value) => settled(() => resolve(value)),
      (error: unknown) => settled(() => reject(ctx.err() ?? error)),
    );
  });
}

/**
 * Cancels a statement at the server, and waits until it has settled and the cancel was answered: only then nothing that belongs to it can hit the next
 * statement on the connection.
 *
 * @returns false if that takes longer than `graceMs`, or the cancel fails: then the connection must be closed
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

/** One use of a connection, as `callsOf(error)` and the active span report it when the end of its context cuts it. */
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

  cut(phase: CallPhase): void {
    const elapsed = performance.now() - this.#from;
    noteCall(this.#ctx.err(), { method: this.#operation, url: this.#target, attempt: 1, phase, elapsed });
    trace.getSpan(this.#ctx)?.addEvent("throughline.call.cut", {
      "throughline.call.phase": phase,
      "db.operation.name": this.#operation,
    });
  }
}

/** @throws TypeError if the value has not the methods that are needed */
export function requireMethods(name: string, value: unknown, methods: readonly string[], action: string): void {
  const object = value as Record<string, unknown> | null | undefined;
  if (methods.every((method) => typeof object?.[method] === "function")) return;
  throw new TypeError(
    `Cannot ${action}: '${name}' must have the methods ${methods.join(", ")}; received ${describeValue(value)}`,
  );
}
