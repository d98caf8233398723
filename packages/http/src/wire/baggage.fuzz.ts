import assert from "node:assert/strict";
import { validateHeaderValue } from "node:http";

import { DIGITS, isMadeOf, LOWER, textOf } from "@throughline/test/fuzz/alphabet.ts";
import {
  baggage,
  entries,
  isField,
  loose,
  looseName,
  MOST_BYTES,
  MOST_MEMBERS,
  OCTETS,
  readBaggage,
} from "@throughline/test/fuzz/baggage-grammar.ts";
import { type AnySubject, subject, textSubject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import { parseBaggage, withEntries, withoutEntries } from "./baggage.ts";

const reading = textSubject({
  name: "baggage",
  share: 2,
  valid: baggage,
  parse: parseBaggage,
  judge(header, members) {
    assert.deepEqual(members, readBaggage(header));
    return members.length > 0;
  },
});

/** A header and the entries to add to it. */
type Addition = [header: string, added: [string, string][]];

/** Entries that exceed the size limit of baggage, alone or together. */
const large = fc.array(
  fc.tuple(
    textOf(LOWER, 1, 3),
    fc
      .integer({ min: 0, max: MOST_BYTES + 10 })
      .chain((length) => textOf(OCTETS, 1, 1).map((each) => each.repeat(length))),
  ),
  { maxLength: 4 },
);
const many = fc
  .integer({ min: 150, max: 200 })
  .map((count) => Array.from({ length: count }, (_, index) => `m${index}=1`).join(","));

function additions(header: Arbitrary<string>): Arbitrary<Addition> {
  return fc.tuple(header, fc.oneof({ arbitrary: entries, weight: 4 }, large));
}

const adding = subject<Addition, string>({
  name: "baggage, with entries",
  random: additions(anyText),
  mutated: additions(fc.oneof({ arbitrary: almost(baggage), weight: 4 }, many)),
  valid: additions(fc.oneof({ arbitrary: baggage, weight: 4 }, many)),
  long: { texts: pumped(baggage), from: (text) => [text, [["added", "1"]]] },
  parse: ([header, added]) => withEntries(header, added),
  judge([header, added], result) {
    if (isField(header)) validateHeaderValue("baggage", result);
    const members = result === "" ? [] : result.split(",");
    assert.ok(
      result.length <= MOST_BYTES && members.length <= MOST_MEMBERS,
      "The result exceeds the limits of baggage",
    );

    const names = new Set(added.map(([name]) => loose(name)));
    const others = header.split(",").map((each) => each.trim());
    const kept = others.filter((each) => each !== "" && !names.has(looseName(each)));
    const wanted = [...added.map((entry) => entry.join("=")), ...kept].slice(0, MOST_MEMBERS);
    let [first, length] = [0, -1];
    while (first < wanted.length && length + 1 + wanted[first]!.length <= MOST_BYTES) {
      length += 1 + wanted[first]!.length;
      first += 1;
    }
    assert.deepEqual(members.slice(0, first), wanted.slice(0, first), "The added entries are missing or not in front");
    // Later, shorter members may still fit; their order does not change.
    let at = 0;
    for (const each of wanted) if (members[at] === each) at += 1;
    assert.equal(at, members.length, "The result has a member that was never sent");
    return members.length > 0;
  },
});

const removing = subject<[string, number], string | undefined>({
  name: "baggage, without entries",
  random: fc.tuple(anyText, fc.nat()),
  mutated: fc.tuple(almost(baggage), fc.nat()),
  valid: fc.tuple(baggage, fc.nat()),
  long: { texts: pumped(baggage), from: (text) => [text, 0] },
  parse: ([header, which]) => withoutEntries(header, new Set([nameIn(header, which)])),
  judge([header, which], result) {
    const removed = nameIn(header, which);
    const left = result?.split(",").map((each) => each.trim()) ?? [];
    assert.ok(!left.some((each) => looseName(each) === removed), "The removed entry is still there");
    const others = readBaggage(header).filter(({ text }) => looseName(text) !== removed);
    const kept = new Set(left);
    for (const { text } of others) assert.ok(kept.has(text.trim()), `'${text}' was removed as well`);
    const sent = new Set(header.split(",").map((each) => each.trim()));
    for (const each of left) assert.ok(sent.has(each), `'${each}' was never sent`);
    return result !== undefined;
  },
});

/** The name of one member, valid or not, if a propagated value may have that name. */
function nameIn(header: string, which: number): string {
  const members = header.split(",");
  const name = looseName(members[which % members.length]!);
  return name !== "" && isMadeOf(name, `${LOWER}${DIGITS}-`) ? name : "absent";
}

export const subjects: readonly AnySubject[] = [reading, adding, removing];
