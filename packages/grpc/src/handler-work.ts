/** Counts the work of a handler that is not done. It may go on long after its call is over. */
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

  /** Resolves when everything that began has ended; `undefined` if nothing is open. */
  settled(): Promise<void> | undefined {
    return this.#open === 0 ? undefined : (this.#settled ??= Promise.withResolvers<void>()).promise;
  }
}
