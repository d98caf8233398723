import { background, createKey, type Key, withValue } from "@throughline/context";
import { describe, expect, it } from "vitest";

import { jsonCodec, textCodec } from "./codec.ts";
import {
  type PropagationOptions,
  propagatedValues,
  propagateValue,
  decode,
  type PropagatedValue,
  encode,
} from "./propagated-values.ts";

let count = 0;

/** Propagates a value with a unique name. */
function propagated<T>(
  options: Pick<PropagationOptions<T>, "codec"> & Partial<PropagationOptions<T>>,
): [Key<T>, PropagatedValue] {
  const key = createKey<T>("propagated");
  const name = `propagate-test-${++count}`;
  propagateValue(key, { name, maxBytes: 16, ...options });
  return [key, propagatedValues().find((each) => each.key === key)!];
}

describe("propagateValue", () => {
  it("sends values to allowed origins in baggage and accepts them from trusted peers by default", () => {
    const [, one] = propagated({ codec: textCodec });
    expect(one).toMatchObject({ as: "baggage", to: "allowed-origins", accept: "trusted", kind: "values" });
  });

  it.each<[object, RegExp]>([
    [{ name: "Tenant" }, /'name' must be lower-case letters, digits and hyphens, at most 64; received string "Tenant"/],
    [{ name: "x_tenant" }, /'name' must be/],
    [{ name: "7-tenants" }, /'name' must be/],
    [{ name: "" }, /'name' must be/],
    [{ name: "x".repeat(65) }, /'name' must be/],
    [{ name: undefined }, /'name' must be/],
    [{ codec: undefined }, /'codec\.encode' must be a function/],
    [{ codec: { encode: textCodec.encode } }, /'codec\.decode' must be a function/],
    [{ maxBytes: 0 }, /'maxBytes'/],
    [{ maxBytes: 1.5 }, /'maxBytes'/],
    [{ maxBytes: 8193 }, /'maxBytes' must be at most 8192; received 8193/],
    [{ maxBytes: undefined }, /'maxBytes'/],
    [{ as: "cookie" }, /'as'/],
    [{ to: "everywhere" }, /'to'/],
    [{ accept: "verified" }, /'accept'/],
    [{ kind: "identity" }, /'kind'/],
  ])("rejects the options %j", (wrong, message) => {
    const right = { name: "propagate-wrong", codec: textCodec, maxBytes: 8 };
    expect(() =>
      propagateValue(createKey<string>("wrong"), { ...right, ...wrong } as PropagationOptions<string>),
    ).toThrow(message);
    expect(propagatedValues().some(({ name }) => name === "propagate-wrong")).toBe(false);
  });

  it("rejects an invalid key, and a key or a name that is already propagated", () => {
    const options = { name: "propagate-once", codec: textCodec, maxBytes: 8 };
    const key = createKey<string>("once");
    propagateValue(key, options);
    expect(() => propagateValue("once" as never, { ...options, name: "propagate-other" })).toThrow(
      /'key' must be made by createKey/,
    );
    expect(() => propagateValue(key, { ...options, name: "propagate-other" })).toThrow(
      /'key' must be new; it is already propagated as 'propagate-once'/,
    );
    expect(() => propagateValue(createKey<string>("other"), options)).toThrow(
      /'name' must be unique; 'propagate-once' is already in use/,
    );
  });

  it.each(["host", "baggage", "traceparent", "grpc-timeout", "throughline-criticality", "content-length", "from"])(
    "rejects the header name %s, which has another meaning or of which Node drops repeated values",
    (name) => {
      const options = { name, codec: textCodec, maxBytes: 8, as: "header" } as const;
      expect(() => propagateValue(createKey<string>("taken"), options)).toThrow(/'name'/);
    },
  );
});

describe("a propagated value", () => {
  it.each<[string, PropagationOptions<string>["as"], string]>([
    ["a b,c;\u20AC%", "baggage", "a%20b%2Cc%3B%E2%82%AC%25"],
    ["a.b;=", "header", "a.b;="],
    ['["a","b"] caf\u00E9%', "header", '["a"%2C"b"]%20caf%C3%A9%25'],
    ["a\r\nx-evil: 1\0", "header", "a%0D%0Ax-evil:%201%00"],
    [" a ", "header", "%20a%20"],
    ["", "baggage", ""],
  ])("%j in %s is encoded as %j and decoded again", (value, as, encoded) => {
    const [, one] = propagated({ codec: textCodec, as: as!, maxBytes: 64 });
    expect(encode(one, value)).toBe(encoded);
    expect(decode(one, encoded)).toBe(value);
  });

  it("is omitted if it is undefined or if its codec returns undefined", () => {
    const [key, one] = propagated<string>({ codec: { encode: () => undefined, decode: () => undefined } });
    expect([encode(one, undefined), encode(one, "a")]).toEqual([undefined, undefined]);
    expect(withValue(withValue(background, key, "a"), key, undefined as never).value(key)).toBeUndefined();
  });

  it("is at most maxBytes long when encoded", () => {
    const [key] = propagated({ codec: textCodec, maxBytes: 3 });
    expect(withValue(background, key, "abc").value(key)).toBe("abc");
    expect(() => withValue(background, key, "abcd")).toThrow(
      new RangeError(
        `Cannot bind a value: 'propagate-test-${count}' must be 3 bytes at most when it is written: it is 4 bytes`,
      ),
    );
    expect(() => withValue(background, key, "\u20AC")).toThrow(/it is 9 bytes/);
  });

  it("cannot be bound if it is a header and encoded as an empty string", () => {
    const [key] = propagated({ codec: textCodec, as: "header" });
    expect(() => withValue(background, key, "")).toThrow(/must not be an empty string; it is sent as a header/);
  });

  it("cannot be bound if its codec throws, and the message has the reason", () => {
    const [text] = propagated({ codec: textCodec });
    expect(() => withValue(background, text, 7 as never)).toThrow(/cannot be written: the value must be a string/);
    const [circle] = propagated<unknown>({ codec: jsonCodec((value): value is unknown => value !== null) });
    const value: Record<string, unknown> = {};
    value["self"] = value;
    expect(() => withValue(background, circle, value)).toThrow(/cannot be written: Converting circular structure/);
    const [odd] = propagated<number>({ codec: { encode: (each) => each as never, decode: Number } });
    expect(() => withValue(background, odd, 7)).toThrow(/must be encoded as a string; its codec returned number 7/);
  });

  it("cannot be bound if a receiver could not decode it", () => {
    const [count] = propagated({ codec: jsonCodec((value): value is number => typeof value === "number") });
    expect(() => withValue(background, count, "seven" as never)).toThrow(/Cannot bind a value/);
    const [text] = propagated({ codec: textCodec });
    expect(() => withValue(background, text, "half of a pair: \uD83D")).toThrow(
      /contains an unpaired UTF-16 surrogate/,
    );
  });

  it.each<[string, PropagationOptions<string>["as"], string]>([
    ["too long", "baggage", "x".repeat(17)],
    ["not percent-encoded correctly", "baggage", "a%"],
    ["not UTF-8", "baggage", "%ff"],
  ])("that is %s is dropped", (_, as, encoded) => {
    const [, one] = propagated({ codec: textCodec, as: as! });
    expect(decode(one, encoded)).toBeUndefined();
  });
});
