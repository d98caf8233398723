/** What a handler still does, which may go on long after its call is over. */
export class HandlerWork {
  #open = 0;
  #settled: PromiseWithResolvers<void> | undefined;

  begin(): void {
    this.#open += 1;
  }

  end(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#settled?.resolve();
  }

  /** Resolves when all that has begun has ended; `undefined` where nothing goes on. */
  settled(): Promise<void> | undefined {
    return this.#open === 0 ? undefined : (this.#settled ??= Promise.withResolvers<void>()).promise;
  }
}
