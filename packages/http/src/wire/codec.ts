/** How a value is written on the wire, and read. */
export interface Codec<T> {
  /** A string without half a pair of surrogates; `undefined` for one that is not to be sent now. */
  encode(value: T): string | undefined;
  /** `undefined`, or a throw, for what is none. */
  decode(text: string): T | undefined;
}

/** A string as it is. */
export const textCodec: Codec<string> = {
  encode(value) {
    if (typeof value !== "string") throw new TypeError("it must be a string");
    return value;
  },
  decode: (text) => text,
};

/**
 * JSON, which is checked when it is read.
 *
 * @param check whether what was read is what it should be
 */
export function jsonCodec<T>(check: (value: unknown) => value is T): Codec<T> {
  return {
    encode(value) {
      if (!check(value)) throw new TypeError("it is not what it should be");
      return JSON.stringify(value);
    },
    decode(text) {
      const value: unknown = JSON.parse(text);
      return check(value) ? value : undefined;
    },
  };
}
