import assert from "node:assert/strict";

import { propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import { W3CBaggagePropagator } from "@opentelemetry/core";
import { background, type Context, createKey } from "@throughline/context";
import {
  baggage,
  loose,
  looseName,
  member,
  MOST_BYTES,
  MOST_MEMBERS,
  readBaggage,
} from "@throughline/test/fuzz/baggage-grammar.ts";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import type { IncomingRequest } from "../observe/server-request.ts";
import { textCodec } from "../wire/codec.ts";
import { NodeHeaders } from "../wire/headers.ts";
import { propagateValue } from "../wire/propagated-values.ts";
import { receiveValues } from "./receive-values.ts";

export type Sent = Record<string, string | string[]>;

/** The result of receiving a request: its context, whether it must be refused, and its remaining headers. */
export interface Received {
  readonly ctx: Context;
  readonly isInvalid: boolean;
  readonly left: Sent;
}

/** Receives the values of a request with these headers. */
export function receive(headers: Sent, isTrusted: boolean): Received {
  const left = { ...headers };
  const request: IncomingRequest = {
    method: "GET",
    target: "/",
    scheme: "http",
    authority: undefined,
    headers: new NodeHeaders(left),
    remove: (name) => void delete left[name],
    replace: (name, value) => void (left[name] = value),
  };
  const { ctx, invalid } = receiveValues(background, request, () => isTrusted, "trusted");
  return { ctx, isInvalid: invalid !== undefined, left };
}

const secretKey = createKey<string>("secret");
const headerKey = createKey<string>("header");
propagateValue(secretKey, { name: "fuzz-secret", codec: textCodec, maxBytes: MOST_BYTES });
propagateValue(headerKey, { name: "fuzz-header", codec: textCodec, maxBytes: MOST_BYTES, as: "header" });

/** The baggage of a request, in one header or several, and whether its sender is trusted. */
type FromSender = [header: string | string[], isTrusted: boolean];

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

function fromSender(header: Arbitrary<string>): Arbitrary<FromSender> {
  const headers = fc.oneof({ arbitrary: header, weight: 4 }, fc.array(header, { minLength: 1, maxLength: 3 }));
  return fc.tuple(headers, fc.boolean());
}

const propagator = new W3CBaggagePropagator();

/** The baggage that OpenTelemetry reads from the header. */
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

const secrets = subject<FromSender, Received>({
  name: "baggage of an untrusted sender",
  random: fromSender(anyText),
  mutated: fromSender(fc.oneof({ arbitrary: almost(withSecret), weight: 20 }, withMuch)),
  valid: fromSender(fc.oneof(withSecret, baggage)),
  long: { texts: pumped(withSecret), from: (text) => [text, false] },
  parse: ([header, isTrusted]) => receive({ baggage: header }, isTrusted),
  judge([header, isTrusted], { ctx, left }) {
    const members = readBaggage(typeof header === "string" ? header : header.join(","));
    // With two entries, one may come from an untrusted party.
    const values = members.filter(({ name }) => name === "fuzz-secret").map(({ value }) => valueOf(value));
    assert.equal(ctx.value(secretKey), isTrusted && values.length === 1 ? values[0] : undefined);
    if (!isTrusted)
      assert.equal(readAsOpenTelemetry(left["baggage"]), undefined, "OpenTelemetry still reads the entry");
    if (!isTrusted) assert.equal(left["baggage"], undefined, "Part of the header is still there");
    const rest = new Set(readBaggage(String(left["baggage"] ?? "")).map(({ text }) => text.trim()));
    const others = isTrusted ? members.filter(({ text }) => looseName(text) !== loose("fuzz-secret")) : [];
    for (const { text } of others)
      assert.ok(rest.has(text.trim()), `'${text}' was removed, though no value has that name`);
    return values.length > 0;
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
  name: "headers of an untrusted sender",
  random: named(fc.oneof(name, anyText), anyText),
  mutated: named(almost(name), almost(fc.constantFrom("ada", "a b"))),
  valid: named(name, fc.constantFrom("ada", "a b", "%41", "a,b")),
  parse: ([name, value, isTrusted]) => receive(Object.fromEntries([[name, value]]) as Sent, isTrusted),
  judge([name, value, isTrusted], { ctx, left, isInvalid }) {
    // Two joined values look like one value with a comma; each of several values may also contain commas.
    const one = [value].flat()[0];
    const isOnce = typeof value === "string" ? !value.includes(",") : value.length === 1;
    const isTaken = name === "fuzz-header" && isTrusted;
    if (!isOnce) assert.equal(ctx.value(headerKey), undefined);
    if (loose(name) === loose("fuzz-header") && !isTaken)
      assert.deepEqual([ctx.value(headerKey), left], [undefined, {}]);
    else assert.deepEqual(left, Object.fromEntries([[name, value]]));
    if (isTaken) assert.equal(isInvalid, !isOnce);
    // A value that cannot be sent on is not accepted.
    const own = valueOf(one ?? "");
    if (isTaken && isOnce) assert.equal(ctx.value(headerKey), own !== "" && own?.isWellFormed() ? own : undefined);
    return isTaken && !isInvalid;
  },
});

export const subjects: readonly AnySubject[] = [secrets, header];
