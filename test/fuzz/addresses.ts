import fc, { type Arbitrary } from "fast-check";

import { DIGITS, isMadeOf, LOWER_HEX } from "./alphabet.ts";

/** The prefix of IPv4-mapped IPv6 addresses: `::ffff:0:0/96`. */
const MAPPED = 0xffffn << 32n;

/** Reads dotted decimal notation without leading zeros. */
export function readIPv4(text: string): bigint | undefined {
  const parts = text.split(".");
  const isPlain = (part: string): boolean =>
    part !== "" && part.length <= 3 && isMadeOf(part, DIGITS) && String(Number(part)) === part && Number(part) < 256;
  if (parts.length !== 4 || !parts.every(isPlain)) return undefined;
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

/** Reads the notation of RFC 4291, 2.2. */
export function readIPv6(text: string): bigint | undefined {
  const halves = text.split("::");
  const [before, after] = halves.map(readGroups);
  if (halves.length > 2 || before === undefined) return undefined;
  if (halves.length === 1) return before.length === 8 ? bitsOf(before) : undefined;
  // An IPv4 address may only be at the end, so not in the first half.
  if (after === undefined || before.length + after.length > 7 || halves[0]!.includes(".")) return undefined;
  return bitsOf([...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0n), ...after]);
}

/** An IPv4 or IPv6 address as 128 bits. */
export function readAddress(text: string): bigint | undefined {
  const short = readIPv4(text);
  return short === undefined ? readIPv6(text) : MAPPED | short;
}

function readGroups(text: string): bigint[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const last = readIPv4(parts.at(-1)!);
  const groups = last === undefined ? parts : parts.slice(0, -1);
  if (!groups.every((each) => each !== "" && each.length <= 4 && isMadeOf(each.toLowerCase(), LOWER_HEX)))
    return undefined;
  const read = groups.map((each) => BigInt(`0x${each}`));
  return last === undefined ? read : [...read, last >> 16n, last & 0xffffn];
}

function bitsOf(groups: readonly bigint[]): bigint {
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** Addresses, many of them close to each other, so that ranges contain them. */
const bits32 = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0x0a000000, max: 0x0a0000ff }));
const bits128 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
  bits32.map((bits) => MAPPED | BigInt(bits)),
  fc.bigInt({ min: 0xfe80n << 112n, max: (0xfe80n << 112n) + 0xffffn }),
);

export const ipv4: Arbitrary<string> = bits32.map(writeIPv4);

/** An IPv6 address in one of its notations. */
export const ipv6: Arbitrary<string> = fc
  .tuple(bits128, fc.nat({ max: 8 }), fc.nat({ max: 8 }), fc.boolean(), fc.boolean(), fc.boolean())
  .map(([bits, from, length, isCompressed, endsShort, isUpper]) => {
    const groups = Array.from({ length: 8 }, (_, index) => (bits >> BigInt(112 - 16 * index)) & 0xffffn);
    const size = endsShort ? 6 : 8;
    const written = groups.slice(0, size).map((group) => group.toString(16));
    if (endsShort) written.push(writeIPv4(Number(bits & 0xffffffffn)));
    const to = Math.min(from + length, size);
    const isGap = isCompressed && to > from && groups.slice(from, to).every((group) => group === 0n);
    const text = isGap ? `${written.slice(0, from).join(":")}::${written.slice(to).join(":")}` : written.join(":");
    return isUpper ? text.toUpperCase() : text;
  });

function writeIPv4(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join(".");
}
