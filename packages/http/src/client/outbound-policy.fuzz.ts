import assert from "node:assert/strict";

import { background, type Context, createKey, type Key, withValue } from "@throughline/context";
import { DIGITS, LOWER, span, textOf, UPPER } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import { receive } from "../server/receive-values.fuzz.ts";
import { type Codec, jsonCodec, textCodec } from "../wire/codec.ts";
import { propagateValue } from "../wire/propagated-values.ts";
import { valueHeaders } from "./outbound-policy.ts";

const EVERYWHERE = { trace: true, deadline: true, criticality: true, values: true, identity: true };
const MOST = 8192;
/**
 * Characters written as they are: by `encodeURIComponent` (ECMA-262, 19.2.6.5), and in a header. Every other byte takes
 * three characters.
 */
const UNESCAPED = {
  baggage: `${LOWER}${UPPER}${DIGITS}-_.!~*'()`,
  header: span(0x21, 0x7e).replaceAll(/[%,]/g, ""),
};

/** The value that the next service received; "refused" if the first service could not bind it. */
type Arrived<T> = { readonly value: T | undefined } | "refused";

function send<T>(key: Key<T>, value: T): Arrived<T> {
  let ctx: Context;
  try {
    ctx = withValue(background, key, value);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("Cannot bind a value: "))) throw error;
    return "refused";
  }
  const { ctx: next, isInvalid } = receive(Object.fromEntries(valueHeaders(ctx, EVERYWHERE, undefined, false)), false);
  return { value: isInvalid ? undefined : next.value(key) };
}

interface Sent<T> {
  readonly as: "baggage" | "header";
  readonly what: string;
  readonly codec: Codec<T>;
  readonly valid: Arbitrary<T>;
  readonly random: Arbitrary<T>;
  readonly mutated: Arbitrary<T>;
  from?(text: string): T;
  /** The text that the codec writes. */
  write(value: T): string;
}

function sent<T>({ as, what, codec, from, write, ...values }: Sent<T>): AnySubject {
  const key = createKey<T>(what);
  const name = `fuzz-${what.toLowerCase()}-${as}`;
  propagateValue(key, { name, as, codec, maxBytes: MOST, accept: "anyone" });
  return subject<T, Arrived<T>>({
    name: `${what} in ${as === "baggage" ? "baggage" : "a header"}, there and back`,
    ...values,
    ...(from && { long: { texts: pumped(fc.string({ maxLength: 20 })), from } }),
    parse: (value) => send(key, value),
    judge(value, arrived) {
      const text = write(value);
      const isShort = lengthOf(text, as) + (as === "baggage" ? name.length + 1 : 0) <= MOST;
      // An empty header and an unpaired surrogate cannot be sent.
      const mustBeTaken = isShort && text.isWellFormed() && (as === "baggage" || text !== "");
      if (arrived === "refused") assert.ok(!mustBeTaken, "The value can be sent, but was refused");
      else assert.deepEqual(arrived.value, codec.decode(text), "The next service received another value");
      return arrived !== "refused";
    },
  });
}

function lengthOf(text: string, as: "baggage" | "header"): number {
  let length = 0;
  for (const byte of Buffer.from(text)) length += UNESCAPED[as].includes(String.fromCharCode(byte)) ? 1 : 3;
  return length;
}

const ways = ["baggage", "header"] as const;
const text = fc.oneof(
  { arbitrary: anyText, weight: 10 },
  { arbitrary: textOf(span(0x20, 0x7e), 1, 20), weight: 10 },
  { arbitrary: fc.integer({ min: MOST - 30, max: MOST + 1 }).map((length) => "a".repeat(length)), weight: 1 },
);
const json = jsonCodec((value): value is unknown => value !== undefined);
const object = fc.object({
  values: [textOf(span(0x20, 0x7e), 0, 10), fc.integer(), fc.boolean(), fc.constant(null)],
  key: textOf(LOWER, 1, 5),
});

export const subjects: readonly AnySubject[] = ways.flatMap((as) => [
  sent<string>({
    as,
    what: "text",
    codec: textCodec,
    random: anyText,
    mutated: almost(text),
    valid: text,
    from: (each) => each,
    write: (value) => value,
  }),
  sent<unknown>({
    as,
    what: "JSON",
    codec: json,
    random: fc.jsonValue(),
    mutated: fc.jsonValue({ maxDepth: 5 }),
    valid: object,
    write: (value) => JSON.stringify(value),
  }),
]);
