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

/** Declares a value by a name that nobody else has. */
function declared<T>(
  declaration: Pick<PropagationOptions<T>, "codec"> & Partial<PropagationOptions<T>>,
): [Key<T>, PropagatedValue] {
  const key = createKey<T>("declared");
  const name = `declare-test-${++count}`;
  propagateValue(key, { name, maxBytes: 16, ...declaration });
  return [key, propagatedValues().find((each) => each.key === key)!];
}

describe("a declaration", () => {
  it("goes to allowed origins in baggage, and is taken from trusted peers, unless it says otherwise", () => {
    const [, one] = declared({ codec: textCodec });
    expect(one).toMatchObject({ as: "baggage", to: "allowed-origins", accept: "trusted", kind: "values" });
  });

  it.each<[object, RegExp]>([
    [{ name: "Tenant" }, /'name' must be lower-case letters, digits and hyphens, 64 at most; received string "Tenant"/],
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
  ])("with %j is refused", (wrong, message) => {
    const right = { name: "declare-wrong", codec: textCodec, maxBytes: 8 };
    expect(() =>
      propagateValue(createKey<string>("wrong"), { ...right, ...wrong } as PropagationOptions<string>),
    ).toThrow(message);
    expect(propagatedValues().some(({ name }) => name === "declare-wrong")).toBe(false);
  });

  it("of a key that is none, or of a key or a name that has one, is refused", () => {
    const declaration = { name: "declare-once", codec: textCodec, maxBytes: 8 };
    const key = createKey<string>("once");
    propagateValue(key, declaration);
    expect(() => propagateValue("once" as never, { ...declaration, name: "declare-other" })).toThrow(
      /'key' must be made by createKey/,
    );
    expect(() => propagateValue(key, { ...declaration, name: "declare-other" })).toThrow(
      /the key has been declared before/,
    );
    expect(() => propagateValue(createKey<string>("other"), declaration)).toThrow(
      /the name 'declare-once' has been declared before/,
    );
  });

  it.each(["host", "baggage", "traceparent", "grpc-timeout", "throughline-criticality", "content-length", "from"])(
    "of %s as a header is refused: that has another meaning, or is not told when it was sent twice",
    (name) => {
      const declaration = { name, codec: textCodec, maxBytes: 8, as: "header" } as const;
      expect(() => propagateValue(createKey<string>("taken"), declaration)).toThrow(/'name'/);
    },
  );
});

describe("a value", () => {
  it.each<[string, PropagationOptions<string>["as"], string]>([
    ["a b,c;\u20AC%", "baggage", "a%20b%2Cc%3B%E2%82%AC%25"],
    ["a.b;=", "header", "a.b;="],
    ['["a","b"] caf\u00E9%', "header", '["a"%2C"b"]%20caf%C3%A9%25'],
    ["a\r\nx-evil: 1\0", "header", "a%0D%0Ax-evil:%201%00"],
    [" a ", "header", "%20a%20"],
    ["", "baggage", ""],
  ])("%j in %s is written %j, and read again", (value, as, written) => {
    const [, one] = declared({ codec: textCodec, as: as!, maxBytes: 64 });
    expect(encode(one, value)).toBe(written);
    expect(decode(one, written)).toBe(value);
  });

  it("that is undefined, or is not to be sent now, is not written", () => {
    const [key, one] = declared<string>({ codec: { encode: () => undefined, decode: () => undefined } });
    expect([encode(one, undefined), encode(one, "a")]).toEqual([undefined, undefined]);
    expect(withValue(withValue(background, key, "a"), key, undefined as never).value(key)).toBeUndefined();
  });

  it("may be as long as was declared", () => {
    const [key] = declared({ codec: textCodec, maxBytes: 3 });
    expect(withValue(background, key, "abc").value(key)).toBe("abc");
    expect(() => withValue(background, key, "abcd")).toThrow(
      new RangeError(
        `Cannot bind a value: 'declare-test-${count}' must be 3 bytes at most when it is written: it is 4 bytes`,
      ),
    );
    expect(() => withValue(background, key, "\u20AC")).toThrow(/it is 9 bytes/);
  });

  it("that is written as nothing cannot be bound where it is to be a header", () => {
    const [key] = declared({ codec: textCodec, as: "header" });
    expect(() => withValue(background, key, "")).toThrow(/must not be empty when it is written: it is a header/);
  });

  it("that its codec cannot write cannot be bound, and the reason is told", () => {
    const [text] = declared({ codec: textCodec });
    expect(() => withValue(background, text, 7 as never)).toThrow(/cannot be written: it must be a string/);
    const [circle] = declared<unknown>({ codec: jsonCodec((value): value is unknown => value !== null) });
    const value: Record<string, unknown> = {};
    value["self"] = value;
    expect(() => withValue(background, circle, value)).toThrow(/cannot be written: Converting circular structure/);
    const [odd] = declared<number>({ codec: { encode: (each) => each as never, decode: Number } });
    expect(() => withValue(background, odd, 7)).toThrow(/must be written as a string: its codec gave number 7/);
  });

  it("that could not be read by who receives it cannot be bound", () => {
    const [count] = declared({ codec: jsonCodec((value): value is number => typeof value === "number") });
    expect(() => withValue(background, count, "seven" as never)).toThrow(/Cannot bind a value/);
    const [text] = declared({ codec: textCodec });
    expect(() => withValue(background, text, "half of a pair: \uD83D")).toThrow(/Cannot bind a value/);
  });

  it.each<[string, PropagationOptions<string>["as"], string]>([
    ["too long", "baggage", "x".repeat(17)],
    ["no percent-encoding", "baggage", "a%"],
    ["no UTF-8", "baggage", "%ff"],
  ])("that is %s is none", (_, as, written) => {
    const [, one] = declared({ codec: textCodec, as: as! });
    expect(decode(one, written)).toBeUndefined();
  });
});
