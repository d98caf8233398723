import assert from "node:assert/strict";

import { ipv4, ipv6, readAddress, readIPv4 } from "@throughline/test/fuzz/addresses.ts";
import { DIGITS, isMadeOf } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import { NodeHeaders } from "../wire/headers.ts";
import { trustOf } from "./trust.ts";

/** A trusted range and the address of a peer. */
type Asked = [range: string, address: string];

/** Whether the address is trusted; "refused" if the range is invalid. */
type Trusted = "refused" | boolean;

const NO_HEADERS = new NodeHeaders({});

function isTrusted([range, address]: Asked): Trusted {
  let trust;
  try {
    trust = trustOf({ addresses: [range] });
  } catch (error) {
    if (!(error instanceof TypeError && error.message.startsWith("Cannot make a request context: 'addresses'")))
      throw error;
    return "refused";
  }
  return trust({ address, isUnixSocket: false, subjects: [] }, NO_HEADERS);
}

/** The prefix that an address must have, and its length in bits; `undefined` if this is not a range. */
function readRange(range: string): { bits: bigint; count: number } | undefined {
  const [address, prefix, ...more] = range.split("/");
  const bits = readAddress(address!);
  const isShort = readIPv4(address!) !== undefined;
  const most = isShort ? 32 : 128;
  if (bits === undefined || more.length > 0) return undefined;
  if (prefix === undefined) return { bits, count: 128 };
  if (prefix === "" || prefix.length > 3 || !isMadeOf(prefix, DIGITS) || Number(prefix) > most) return undefined;
  return { bits, count: Number(prefix) + (isShort ? 96 : 0) };
}

const address = fc.oneof(ipv4, ipv6);
const range = fc.oneof(
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map((parts) => parts.join("/")),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map((parts) => parts.join("/")),
  address,
);

/** The address of the range, with at most one bit changed. */
const neighbors: Arbitrary<Asked> = fc.tuple(range, fc.nat({ max: 128 })).map(([each, bit]) => {
  const bits = readRange(each)!.bits ^ (bit === 128 ? 0n : 1n << BigInt(bit));
  const groups = Array.from({ length: 8 }, (_, index) => ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return [each, groups.join(":")];
});

const zone = fc.constantFrom("", "", "%eth0", "%1");

const trustedAddresses = subject<Asked, Trusted>({
  name: "trusted addresses",
  share: 2,
  random: fc.tuple(fc.oneof(range, anyText), fc.oneof(address, anyText)),
  mutated: fc.oneof(fc.tuple(range, almost(address)), fc.tuple(almost(range), address)),
  valid: fc.oneof(
    neighbors,
    fc.tuple(
      range,
      fc.oneof(
        ipv4,
        fc.tuple(ipv6, zone).map((parts) => parts.join("")),
      ),
    ),
  ),
  long: { texts: pumped(fc.oneof(address, range)), from: (text) => [text.includes("/") ? text : "10.0.0.0/8", text] },
  parse: isTrusted,
  judge([range, address], trusted) {
    const own = readRange(range);
    assert.equal(
      trusted === "refused",
      own === undefined,
      `The grammar says that this is ${own === undefined ? "not " : ""}a range`,
    );
    if (trusted === "refused") return false;
    // The kernel appends the interface to the address. A zone that it never writes only must not be trusted.
    const bits = readAddress(address.split("%")[0]!);
    const shift = BigInt(128 - own!.count);
    const isInside = bits !== undefined && bits >> shift === own!.bits >> shift;
    const isKernels = !address.includes("%") || isMadeOf(address.slice(address.indexOf("%") + 1), `${DIGITS}eth`);
    if (trusted || isKernels) assert.equal(trusted, isInside);
    return trusted;
  },
});

export const subjects: readonly AnySubject[] = [trustedAddresses];
