import { type Context, current } from "@throughline/context";
import { callAfter, canEnd, isAttached, onEnd, type Stoppable } from "@throughline/context/internal";

import { type Borrowed, Call, destroy, giveBack, stop } from "./lease.ts";

/** Whether a statement commits or rolls back the transaction, or is a part of it. */
export type StatementKind = "statement" | "commit" | "rollback";

/** Line and block comments, and blanks, before a statement. */
const LEADING = /^(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)+/;

export function kindOf(sql: string): StatementKind {
  const text = sql.replace(LEADING, "");
  if (/^(?:rollback|abort)\b/i.test(text)) return "rollback";
  return /^(?:commit|end|prepare\s+transaction)\b/i.test(text) ? "commit" : "statement";
}

/** The first word of a statement: `"SELECT"`. */
export function operationOf(sql: string): string {
  return /^[a-z]+/i.exec(sql.replace(LEADING, ""))?.[0].toUpperCase() ?? "QUERY";
}

export interface SessionOptions {
  readonly graceMs: number;
  /** Ends an open transaction. */
  rollback(): PromiseLike<unknown>;
}

/**
 * A connection that one borrower holds for several statements, such as a transaction. Each statement runs under the
 * context that is current when it is sent. After the end of that context only ROLLBACK is sent. COMMIT is never
 * canceled: only the server knows whether it has succeeded.
 */
export class Session<C> {
  readonly #owner: Context;
  readonly #borrowed: Borrowed<C>;
  readonly #options: SessionOptions;
  readonly #end: Stoppable | undefined;
  /** Resolves when no cancel request and no ROLLBACK is pending: a late cancel would stop the next statement. */
  #barrier: Promise<void> | undefined;
  /** The connection must be closed: a cancel or a ROLLBACK was not answered in time. */
  #mustClose = false;
  #isReleased = false;
  #isCommitting = false;
  /** Statements that have not settled. */
  readonly #running = new Set<PromiseLike<unknown>>();

  /** @param owner the context under which the connection was borrowed: at its end an open transaction is rolled back */
  constructor(owner: Context, borrowed: Borrowed<C>, options: SessionOptions) {
    this.#owner = owner;
    this.#borrowed = borrowed;
    this.#options = options;
    this.#end = canEnd(owner) ? onEnd(owner, { contextEnded: () => void this.#rollBack() }) : undefined;
  }

  get connection(): C {
    return this.#borrowed.connection;
  }

  /**
   * @param send gets the context at whose end the statement is canceled, if there is one
   * @throws ContextError the error of the current context, as soon as it ends
   */
  async run<T>(kind: StatementKind, operation: string, send: (ctx?: Context) => PromiseLike<T>): Promise<T> {
    const ctx = this.#context();
    // If the pending cancel stopped a ROLLBACK, the transaction would stay open.
    while (this.#barrier !== undefined) await this.#barrier;
    if (kind === "rollback") return this.#mustClose || this.#isReleased ? (undefined as T) : this.#track(send());
    ctx.throwIfAborted();
    this.#owner.throwIfAborted();
    if (this.#isReleased) throw new Error("Cannot send a statement: its connection was returned to the pool");
    if (kind === "commit") return this.#commit(ctx, send);
    if (!canEnd(ctx)) return this.#track(send());
    return this.#runUnder(ctx, operation, send);
  }

  /**
   * Returns the result of a transaction that runs in this session, and then releases the session. It rejects with the
   * error of the owner's context as soon as that ends, unless COMMIT has been sent: then the server's answer is the
   * result.
   */
  untilEnd<T>(done: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = onEnd(this.#owner, {
        contextEnded: () => {
          if (this.#isCommitting) return;
          reject(this.#owner.err());
          void this.release();
        },
      });
      const settled = (settle: () => void): void => {
        end.stop();
        this.release().then(settle, settle);
      };
      done.then(
        (value) => settled(() => resolve(value)),
        (error: unknown) => settled(() => reject(error)),
      );
    });
  }

  /** Sends COMMIT. If the context ends, it waits up to `grace` for the answer, as only the server knows the outcome. */
  #commit<T>(ctx: Context, send: () => PromiseLike<T>): Promise<T> {
    const call = new Call(ctx, "COMMIT", this.#borrowed.driver.target);
    this.#isCommitting = true;
    return new Promise((resolve, reject) => {
      let stopTimer = (): void => {};
      const end = onEnd(ctx, {
        contextEnded: () => {
          stopTimer = callAfter(this.#options.graceMs, () => {
            this.#mustClose = true;
            call.interrupted("commit");
            settled(() => reject(ctx.err()));
          });
        },
      });
      const settled = (settle: () => void): void => {
        this.#isCommitting = false;
        end.stop();
        stopTimer();
        settle();
      };
      this.#track((async () => send())()).then(
        (value) => settled(() => resolve(value)),
        (error: unknown) => settled(() => reject(error)),
      );
    });
  }

  /** Returns the connection, without an open transaction; or closes it. A second call does nothing. */
  async release(isBroken = false): Promise<void> {
    if (this.#isReleased) return;
    this.#end?.stop();
    await this.#rollBack(isBroken);
    if (this.#isReleased) return;
    this.#isReleased = true;
    await (this.#mustClose || isBroken ? destroy(this.#borrowed) : giveBack(this.#borrowed));
  }

  /** The current context, or the owner's if the async context was lost. */
  #context(): Context {
    const ctx = current();
    return isAttached(ctx, this.#owner) || canEnd(ctx) ? ctx : this.#owner;
  }

  #runUnder<T>(ctx: Context, operation: string, send: (ctx: Context) => PromiseLike<T>): Promise<T> {
    const call = new Call(ctx, operation, this.#borrowed.driver.target);
    return new Promise((resolve, reject) => {
      const running = this.#track((async () => send(ctx))());
      let isInterrupted = false;
      const end = onEnd(ctx, {
        contextEnded: () => {
          isInterrupted = true;
          call.interrupted("query");
          reject(ctx.err());
          this.#stop(running);
        },
      });
      const settled = (settle: () => void): void => {
        if (isInterrupted) return;
        end.stop();
        settle();
      };
      running.then(
        (value) => settled(() => resolve(value)),
        (error: unknown) => settled(() => reject(ctx.err() ?? error)),
      );
    });
  }

  #stop(running: PromiseLike<unknown>): void {
    const before = this.#barrier;
    void this.#blockUntil(
      (async () => {
        await before;
        if (!(await stop(this.#borrowed, running, this.#options.graceMs))) this.#mustClose = true;
      })(),
    );
  }

  async #rollBack(isBroken = false): Promise<void> {
    do await this.#untilIdle();
    while (this.#barrier !== undefined);
    const { driver, connection } = this.#borrowed;
    if (isBroken || this.#isReleased || this.#mustClose || driver.isClean?.(connection) !== false) return;
    await this.#blockUntil(
      (async () => {
        const late = Promise.withResolvers<void>();
        const stopTimer = callAfter(this.#options.graceMs, () => late.reject(new Error("no answer to ROLLBACK")));
        try {
          await Promise.race([this.#options.rollback(), late.promise]);
        } catch {
          this.#mustClose = true;
        } finally {
          stopTimer();
        }
      })(),
    );
  }

  /** Sends nothing else until the promise has resolved. It must not reject. */
  async #blockUntil(barrier: Promise<void>): Promise<void> {
    this.#barrier = barrier;
    await barrier;
    if (this.#barrier === barrier) this.#barrier = undefined;
  }

  /** Resolves when no statement runs on the connection and no cancel request is pending for it. */
  async #untilIdle(): Promise<void> {
    // The listeners of all statements under the context that has just ended are called first.
    await Promise.resolve();
    while (!this.#mustClose) {
      const [running] = this.#running;
      const busy = this.#barrier ?? running;
      if (busy === undefined) return;
      await busy.then(ignore, ignore);
    }
  }

  #track<R extends PromiseLike<unknown>>(running: R): R {
    this.#running.add(running);
    const done = (): void => void this.#running.delete(running);
    running.then(done, done);
    return running;
  }
}

function ignore(): void {}
