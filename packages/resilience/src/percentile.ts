import { describeValue } from "@throughline/context/internal";

/** The number of latest values that are kept. */
const CAPACITY = 128;

/** With fewer values the percentile is undefined. */
const MIN_VALUES = 16;

/** A percentile of the latest 128 values, such as durations of calls. */
export class Percentile {
  readonly #share: number;
  readonly #latest: number[] = [];
  #next = 0;
  #value: number | undefined;

  /**
   * @param share the fraction of values below: 0.5 is the median
   * @throws RangeError if it is not between 0 and 1, exclusive
   */
  constructor(share: number) {
    if (typeof share !== "number" || !(share > 0 && share < 1)) {
      throw new RangeError(
        `Cannot create a percentile: 'share' must be between 0 and 1; received ${describeValue(share)}`,
      );
    }
    this.#share = share;
  }

  /** Records a value. */
  add(value: number): void {
    this.#latest[this.#next] = value;
    this.#next = (this.#next + 1) % CAPACITY;
    this.#value = undefined;
  }

  /** The percentile; `undefined` until there are 16 values. */
  get value(): number | undefined {
    if (this.#latest.length < MIN_VALUES) return undefined;
    return (this.#value ??= this.#latest.toSorted((a, b) => a - b)[Math.floor(this.#latest.length * this.#share)]);
  }
}
