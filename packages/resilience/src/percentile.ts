/** How many of the latest values are kept, and with how few nothing is said. */
const KEPT = 128;
const ENOUGH = 16;

/** A percentile of the latest values of something, such as how long calls take. */
export class Percentile {
  readonly #share: number;
  readonly #latest: number[] = [];
  #next = 0;
  #value: number | undefined;

  /**
   * @param share 0.5 for the median, 0.95 for what all but a twentieth stay below
   * @throws RangeError if it is not between 0 and 1
   */
  constructor(share: number) {
    if (typeof share !== "number" || !(share > 0 && share < 1)) {
      throw new RangeError(`Cannot take a percentile: 'share' must be between 0 and 1; received ${share}`);
    }
    this.#share = share;
  }

  add(value: number): void {
    this.#latest[this.#next] = value;
    this.#next = (this.#next + 1) % KEPT;
    this.#value = undefined;
  }

  /** `undefined` while there are too few values to tell. */
  get value(): number | undefined {
    if (this.#latest.length < ENOUGH) return undefined;
    return (this.#value ??= this.#latest.toSorted((a, b) => a - b)[Math.floor(this.#latest.length * this.#share)]);
  }
}
