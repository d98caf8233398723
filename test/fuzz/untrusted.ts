import assert from "node:assert/strict";

import { propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import { W3CBaggagePropagator } from "@opentelemetry/core";
import { createKey } from "@throughline/context";
import fc, { type Arbitrary } from "fast-check";

import { textCodec } from "../../packages/http/src/wire/codec.ts";
import { propagateValue } from "../../packages/http/src/wire/propagated-values.ts";
import { baggage, loose, looseName, member, MOST_BYTES, MOST_MEMBERS, readBaggage } from "./baggage-grammar.ts";
import { receive, type Received, type Sent } from "./incoming.ts";
import { type AnySubject, subject } from "./subject.ts";
import { almost, anyText, pumped } from "./values.ts";

const secretKey = createKey<string>("secret");
const headerKey = createKey<string>("header");
propagateValue(secretKey, { name: "fuzz-secret", codec: textCodec, maxBytes: MOST_BYTES });
propagateValue(headerKey, { name: "fuzz-header", codec: textCodec, maxBytes: MOST_BYTES, as: "header" });

/** A request's baggage, in one header or in several, and whether its sender is trusted. */
type FromSomebody = [header: string | string[], isTrusted: boolean];

const secret = fc.constantFrom(
  "fuzz-secret=evil",
  "fuzz-secret = evil;p=1",
  "fuzz-secret=%C3%A9",
  "%66uzz-secret=evil",
  "fuzz-secret=%",
);
const tooLong = fc.constantFrom(
  "a=1,".repeat(MOST_MEMBERS),
  `a=${"1".repeat(MOST_BYTES - 100)},`,
  `${"a".repeat(MOST_BYTES)},`,
);
const withSecret = fc
  .tuple(fc.array(member, { maxLength: 2 }), secret, fc.array(fc.oneof(member, secret), { maxLength: 2 }))
  .map((parts) => parts.flat().join(","));
const withMuch = fc.tuple(withSecret, tooLong, withSecret).map((parts) => parts.join(""));

function fromSomebody(header: Arbitrary<string>): Arbitrary<FromSomebody> {
  const headers = fc.oneof({ arbitrary: header, weight: 4 }, fc.array(header, { minLength: 1, maxLength: 3 }));
  return fc.tuple(headers, fc.boolean());
}

const propagator = new W3CBaggagePropagator();

/** Baggage as a handler reads it that asks OpenTelemetry. */
function readAsOpenTelemetry(header: string | string[] | undefined): string | undefined {
  const ctx = propagator.extract(ROOT_CONTEXT, header, { get: (carrier) => carrier, keys: () => ["baggage"] });
  return propagation.getBaggage(ctx)?.getEntry("fuzz-secret")?.value;
}

function valueOf(written: string): string | undefined {
  try {
    return decodeURIComponent(written);
  } catch {
    return undefined;
  }
}

const secrets = subject<FromSomebody, Received>({
  name: "baggage of the untrusted",
  random: fromSomebody(anyText),
  mutated: fromSomebody(fc.oneof({ arbitrary: almost(withSecret), weight: 20 }, withMuch)),
  valid: fromSomebody(fc.oneof(withSecret, baggage)),
  long: { texts: pumped(withSecret), from: (text) => [text, false] },
  parse: ([header, isTrusted]) => receive({ baggage: header }, isTrusted),
  judge([header, isTrusted], { ctx, left }) {
    const members = readBaggage(typeof header === "string" ? header : header.join(","));
    // Of two, one may have been put there by somebody else.
    const told = members.filter(({ name }) => name === "fuzz-secret").map(({ value }) => valueOf(value));
    assert.equal(ctx.value(secretKey), isTrusted && told.length === 1 ? told[0] : undefined);
    if (!isTrusted) assert.equal(readAsOpenTelemetry(left["baggage"]), undefined, "OpenTelemetry still reads it");
    if (!isTrusted) assert.equal(left["baggage"], undefined, "Some of it is still there");
    const rest = new Set(readBaggage(String(left["baggage"] ?? "")).map(({ text }) => text.trim()));
    const others = isTrusted ? members.filter(({ text }) => looseName(text) !== loose("fuzz-secret")) : [];
    for (const { text } of others) assert.ok(rest.has(text.trim()), `'${text}' is gone, which is nobody's secret`);
    return told.length > 0;
  },
});

type Named = [name: string, value: string | string[], isTrusted: boolean];

const name = fc.constantFrom(
  "fuzz-header",
  "fuzz_header",
  "fuzz.header",
  "FUZZ-Header",
  "Fuzz_Header",
  "HTTP_FUZZ_HEADER",
);

function named(names: Arbitrary<string>, value: Arbitrary<string>): Arbitrary<Named> {
  return fc.tuple(
    names,
    fc.oneof({ arbitrary: value, weight: 3 }, fc.array(value, { minLength: 1, maxLength: 2 })),
    fc.boolean(),
  );
}

const header = subject<Named, Received>({
  name: "headers of the untrusted",
  random: named(fc.oneof(name, anyText), anyText),
  mutated: named(almost(name), almost(fc.constantFrom("ada", "a b"))),
  valid: named(name, fc.constantFrom("ada", "a b", "%41", "a,b")),
  parse: ([name, value, isTrusted]) => receive(Object.fromEntries([[name, value]]) as Sent, isTrusted),
  judge([name, value, isTrusted], { ctx, left, isInvalid }) {
    // Joined, two values are one with a comma; of several that are not, each may have one.
    const one = [value].flat()[0];
    const isOnce = typeof value === "string" ? !value.includes(",") : value.length === 1;
    const isTaken = name === "fuzz-header" && isTrusted;
    if (!isOnce) assert.equal(ctx.value(headerKey), undefined);
    if (loose(name) === loose("fuzz-header") && !isTaken)
      assert.deepEqual([ctx.value(headerKey), left], [undefined, {}]);
    else assert.deepEqual(left, Object.fromEntries([[name, value]]));
    if (isTaken) assert.equal(isInvalid, !isOnce);
    // What could not be sent on is not taken.
    const own = valueOf(one ?? "");
    if (isTaken && isOnce) assert.equal(ctx.value(headerKey), own !== "" && own?.isWellFormed() ? own : undefined);
    return isTaken && !isInvalid;
  },
});

export const untrusted: readonly AnySubject[] = [secrets, header];
