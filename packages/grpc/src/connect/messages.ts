import { type Context, run } from "@throughline/context";

import type { HandlerWork } from "../handler-work.ts";

export interface MessagesOptions {
  /** Told once there are no more: they have all been read, nobody wants them, or one could not be made. */
  over(error?: unknown): void;
  /** What is thrown in the place of an error. */
  explain(error: unknown): unknown;
  /** What the handler that makes them still does: until there are no more, and while one is made. */
  readonly work?: HandlerWork;
}

/**
 * Messages of a stream, each of which is made in the context: the body of an async generator runs in that of whoever asks for the next.
 */
export class Messages<T> implements AsyncIterableIterator<T> {
  readonly #ctx: Context;
  readonly #iterator: AsyncIterator<T>;
  readonly #options: MessagesOptions;
  /** Fails whoever waits. One may ask again, or stop, before it has been answered. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;

  constructor(ctx: Context, messages: AsyncIterable<T>, options: MessagesOptions) {
    this.#ctx = ctx;
    this.#iterator = run(ctx, () => messages[Symbol.asyncIterator]());
    this.#options = options;
    options.work?.begin();
  }

  /** Has the reader fail, be it waiting or not, and whoever makes the messages told that nobody wants them. */
  fail(error: unknown): void {
    for (const reject of this.#waiting) reject(error);
    if (this.#isOver) return;
    this.#failure = { error };
    void this.return();
  }

  async next(): Promise<IteratorResult<T>> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isOver) return { done: true, value: undefined };
    try {
      const result = await this.#unlessFailed(run(this.#ctx, () => this.#iterator.next()));
      if (result.done) this.#over();
      return result;
    } catch (error) {
      const explained = this.#options.explain(error);
      this.#over(explained);
      throw explained;
    }
  }

  async return(): Promise<IteratorResult<T>> {
    const failure = this.#failure;
    const { work } = this.#options;
    work?.begin();
    this.#over(failure?.error);
    const told = this.#unlessFailed(run(this.#ctx, async () => this.#iterator.return?.()));
    work?.end();
    // Whoever makes messages may be busy with one for ever.
    if (failure === undefined) await told;
    else told.catch(() => {});
    return { done: true, value: undefined };
  }

  /** As Connect has the maker of messages told that the call was aborted: what it holds is to be let go of. */
  async throw(error: unknown): Promise<IteratorResult<T>> {
    this.fail(error);
    throw error;
  }

  async #unlessFailed<R>(making: Promise<R>): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const { work } = this.#options;
    work?.begin();
    this.#waiting.add(reject);
    making.then(
      (value) => (work?.end(), resolve(value)),
      (error: unknown) => (work?.end(), reject(error)),
    );
    try {
      return await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }

  #over(error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.work?.end();
    this.#options.over(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
