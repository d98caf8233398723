import type { RefusedSpans } from "../api.ts";

/** Counts the spans that are refused, so that a user who misses spans finds out why. */
export class Refusals {
  #value: RefusedSpans | undefined;

  add(spans: number, reason: string): void {
    this.#value = { spans: (this.#value?.spans ?? 0) + spans, reason };
  }

  /** `undefined` while none was refused. */
  get value(): RefusedSpans | undefined {
    return this.#value;
  }
}
