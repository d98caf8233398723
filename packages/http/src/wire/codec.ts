/** Encodes a propagated value as text and decodes it in the receiving service. */
export interface Codec<T> {
  /** Returns well-formed UTF-16; `undefined` omits the value from the request. */
  encode(value: T): string | undefined;
  /** Returns `undefined` or throws if the text is invalid; the receiver then drops the value. */
  decode(text: string): T | undefined;
}

/** Encodes a string as it is. */
export const textCodec: Codec<string> = {
  encode(value) {
    if (typeof value !== "string") throw new TypeError("the value must be a string");
    return value;
  },
  decode: (text) => text,
};

/**
 * Encodes a value as JSON.
 *
 * @param check a type guard that runs on every value before encoding and after decoding
 */
export function jsonCodec<T>(check: (value: unknown) => value is T): Codec<T> {
  return {
    encode(value) {
      if (!check(value)) throw new TypeError("the value does not pass the codec's check");
      return JSON.stringify(value);
    },
    decode(text) {
      const value: unknown = JSON.parse(text);
      return check(value) ? value : undefined;
    },
  };
}
