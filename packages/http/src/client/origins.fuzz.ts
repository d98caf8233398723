import assert from "node:assert/strict";

import { ipv4, ipv6, readIPv4, readIPv6 } from "@throughline/test/fuzz/addresses.ts";
import { asciiLower, DIGITS, isMadeOf, LOWER, LOWER_HEX, textOf } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";

import { originFilter } from "./origins.ts";

/** The parts of an origin pattern. */
interface Pattern {
  readonly scheme: string;
  readonly isWide: boolean;
  readonly host: string;
  readonly port: string;
}

/** Splits a pattern without validating it. The filter must not allow more than these parts say. */
function readPattern(pattern: string): Pattern {
  const [scheme, rest = ""] = asciiLower(pattern).split("://");
  const isWide = rest.startsWith("*.");
  const authority = isWide ? rest.slice(2) : rest;
  const at = authority.endsWith("]") ? -1 : authority.lastIndexOf(":");
  const [host, port] = at === -1 ? [authority, ""] : [authority.slice(0, at), authority.slice(at + 1)];
  return { scheme: scheme!, isWide, host, port };
}

/** Whether the filter must accept this pattern. */
function isPlain(pattern: string): boolean {
  const { scheme, isWide, host, port } = readPattern(pattern);
  const labels = host.split(".");
  const isLabel = (each: string): boolean =>
    isMadeOf(each, `${LOWER}${DIGITS}-`) &&
    [each.at(0), each.at(-1)].every((end) => LOWER.includes(end ?? "-")) &&
    !each.startsWith("xn--") &&
    each.length < 64;
  const isPort = port === "" || port === "*" || (isMadeOf(port, DIGITS) && port.length <= 5 && Number(port) <= 65_535);
  const again = `${scheme}://${isWide ? "*." : ""}${host}${port === "" ? "" : `:${port}`}`;
  const isWhole = again === asciiLower(pattern) && host.length < 254 && labels.length > 1;
  return isWhole && scheme in PORTS && isPort && labels.every(isLabel);
}

const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

function matches({ scheme, isWide, host, port }: Pattern, url: URL): boolean {
  const own = url.hostname;
  const isHost = isWide ? own.endsWith(`.${host}`) && own.length > host.length + 1 : isSameHost(own, host);
  const wanted = port === "" ? PORTS[scheme] : Number(port);
  return url.protocol === `${scheme}:` && isHost && (port === "*" || Number(url.port || PORTS[scheme]) === wanted);
}

function isSameHost(a: string, b: string): boolean {
  if (b.startsWith("[")) return a.startsWith("[") && readIPv6(a.slice(1, -1)) === readIPv6(b.slice(1, -1));
  const number = readNumbers(b);
  return number === undefined ? a === b : readIPv4(a) === number;
}

/** The IPv4 address of a numeric host: `127.1`, `0x7f000001`, `017700000001` (the IPv4 parser of the URL standard). */
function readNumbers(host: string): bigint | undefined {
  const parts = host.endsWith(".") ? host.slice(0, -1).split(".") : host.split(".");
  const numbers = parts.map(readNumber);
  if (numbers.length > 4 || !numbers.every((each) => each !== undefined)) return undefined;
  const last = numbers.pop()!;
  return numbers.reduce((sum, each, index) => sum + (each << BigInt(24 - 8 * index)), last);
}

function readNumber(text: string): bigint | undefined {
  if (text === "0x") return 0n;
  if (text.startsWith("0x")) return isMadeOf(text.slice(2), LOWER_HEX) ? BigInt(text) : undefined;
  if (text === "" || !isMadeOf(text, DIGITS)) return undefined;
  if (!text.startsWith("0")) return BigInt(text);
  return isMadeOf(text, "01234567") ? BigInt(`0o${text}`) : undefined;
}

type Asked = [pattern: string, url: string];
type Allowed = "refused" | boolean;

function isAllowed([pattern, text]: Asked): Allowed {
  let filter;
  try {
    filter = originFilter([pattern], "fuzz");
  } catch (error) {
    if (!(error instanceof TypeError && error.message.startsWith("Cannot fuzz: 'origins'"))) throw error;
    return "refused";
  }
  const url = URL.parse(text);
  return url !== null && filter(url);
}

const label = fc
  .tuple(textOf(LOWER, 1, 1), textOf(`${LOWER}${DIGITS}-`, 0, 5), textOf(LOWER, 1, 1))
  .map((parts) => parts.join(""));
/** Public suffixes: anyone can register a name directly below them. */
const SUFFIXES = ["com", "co.uk", "github.io", "kawasaki.jp"];
/** Top-level domains that are reserved or private, with no public registration. */
const RESERVED = ["example", "internal", "test", "local"];
const name = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 3 }), fc.oneof(label, fc.constantFrom(...RESERVED)))
  .map(([labels, last]) => [...labels, last].join("."));
const host = fc.oneof(
  { arbitrary: name, weight: 4 },
  fc.constantFrom(...SUFFIXES, ...RESERVED),
  ipv4,
  ipv6.map((address) => `[${address}]`),
  fc.constantFrom("localhost", "127.1", "0x7f.1", "2130706433", "017700000001", "0x7f000001", "xn--mnchen-3ya.example"),
);
const port = fc.oneof(
  fc.constantFrom("", "", ":443", ":80", ":*", ":0080"),
  fc.nat({ max: 65_535 }).map((each) => `:${each}`),
);
const scheme = fc.constantFrom("https://", "http://", "HTTPS://");
const parts = fc.tuple(scheme, fc.constantFrom("", "", "*."), host, port);
const pattern = parts.map((each) => each.join(""));

/** Hosts of the pattern, and hosts that only look like them. */
const LIKE: readonly ((host: string) => string)[] = [
  (host) => host,
  (host) => host.toUpperCase(),
  (host) => `a.${host}`,
  (host) => `a.b.${host}`,
  (host) => `a${host}`,
  (host) => `.${host}`,
  (host) => `${host}.`,
  (host) => `${host}.evil.example`,
  (host) => `evil.example/${host}`,
  (host) => `${host}@evil.example`,
  (host) => `evil.example#@${host}`,
  (host) => `evil.example\\@${host}`,
  (host) => `evil.example?.${host}`,
  (host) => `user:pw@${host}`,
  (host) => host.replaceAll(".", "\u3002"),
  (host) => host.replace("a", "\uff41"),
  (host) => `%61.${host}`,
];

const like = fc.oneof(fc.constantFrom(...LIKE.slice(0, 3)), fc.constantFrom(...LIKE));
const asked = fc.tuple(parts, like, fc.option(scheme), fc.option(port)).map(([own, like, scheme, port]): Asked => {
  const written = (port ?? own[3]).replace("*", "8080");
  return [own.join(""), `${scheme ?? own[0]}${like(own[2])}${written}/path?query`];
});

function changed(change: (text: Arbitrary<string>) => Arbitrary<string>): Arbitrary<Asked> {
  return asked.chain(([pattern, url]) =>
    fc.tuple(change(fc.constant(pattern)), fc.oneof(fc.constant(url), change(fc.constant(url)))),
  );
}

const originPatterns = subject<Asked, Allowed>({
  name: "origins",
  share: 2,
  random: fc.tuple(fc.oneof(pattern, anyText), fc.oneof(fc.webUrl(), anyText)),
  mutated: changed(almost),
  valid: asked,
  long: { texts: pumped(pattern), from: (text) => [text, "https://a.example.com/"] },
  parse: isAllowed,
  judge([pattern, text], allowed) {
    const read = readPattern(pattern);
    const last = read.host.slice(read.host.lastIndexOf(".") + 1);
    if (allowed === "refused") {
      // Only the public suffix list knows which other names are public suffixes.
      const isOwn = !read.isWide || RESERVED.includes(last);
      assert.ok(!isPlain(pattern) || !isOwn, "The pattern is valid, but was refused");
      return false;
    }
    const url = URL.parse(text);
    assert.equal(allowed, url !== null && matches(read, url));
    assert.ok(
      !read.isWide || (!SUFFIXES.includes(read.host) && read.host !== ""),
      "The pattern covers a public suffix",
    );
    return allowed;
  },
});

export const subjects: readonly AnySubject[] = [originPatterns];
