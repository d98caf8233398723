import { type Context, run } from "@throughline/context";

import type { HandlerWork } from "../handler-work.ts";

export interface MessagesOptions {
  /** Called once, when the stream ends: it was read to the end, its reader stopped, or it failed. */
  onEnd(error?: unknown): void;
  /** Maps an error of the producer to the error that is thrown. */
  mapError(error: unknown): unknown;
  /** Counts the producer's work: until the stream ends, and while a message is produced. */
  readonly work?: HandlerWork;
}

/**
 * The messages of a stream, each produced in the context. The body of an async generator would else run in the context
 * of its reader.
 */
export class Messages<T> implements AsyncIterableIterator<T> {
  readonly #ctx: Context;
  readonly #iterator: AsyncIterator<T>;
  readonly #options: MessagesOptions;
  /** Reject the pending reads. A reader may read again, or stop, while a read is pending. */
  readonly #pending = new Set<(error: unknown) => void>();
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;

  constructor(ctx: Context, messages: AsyncIterable<T>, options: MessagesOptions) {
    this.#ctx = ctx;
    this.#iterator = run(ctx, () => messages[Symbol.asyncIterator]());
    this.#options = options;
    options.work?.begin();
  }

  /** Rejects pending and later reads, and stops the producer. */
  fail(error: unknown): void {
    for (const reject of this.#pending) reject(error);
    if (this.#isOver) return;
    this.#failure = { error };
    void this.return();
  }

  async next(): Promise<IteratorResult<T>> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isOver) return { done: true, value: undefined };
    try {
      const result = await this.#unlessFailed(run(this.#ctx, () => this.#iterator.next()));
      if (result.done) this.#end();
      return result;
    } catch (error) {
      const mapped = this.#options.mapError(error);
      this.#end(mapped);
      throw mapped;
    }
  }

  async return(): Promise<IteratorResult<T>> {
    const failure = this.#failure;
    const { work } = this.#options;
    work?.begin();
    this.#end(failure?.error);
    const stopped = this.#unlessFailed(run(this.#ctx, async () => this.#iterator.return?.()));
    work?.end();
    // After a failure it does not wait: the producer may be busy with one message for ever.
    if (failure === undefined) await stopped;
    else stopped.catch(() => {});
    return { done: true, value: undefined };
  }

  /** Connect calls this when a call is aborted, so that the producer can release what it holds. */
  async throw(error: unknown): Promise<IteratorResult<T>> {
    this.fail(error);
    throw error;
  }

  async #unlessFailed<R>(result: Promise<R>): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const { work } = this.#options;
    work?.begin();
    this.#pending.add(reject);
    result.then(
      (value) => (work?.end(), resolve(value)),
      (error: unknown) => (work?.end(), reject(error)),
    );
    try {
      return await promise;
    } finally {
      this.#pending.delete(reject);
    }
  }

  #end(error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.work?.end();
    this.#options.onEnd(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
