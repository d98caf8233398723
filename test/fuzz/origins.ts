import assert from "node:assert/strict";

import fc, { type Arbitrary } from "fast-check";

import { originFilter } from "../../packages/http/src/client/origins.ts";
import { ipv4, ipv6 } from "./addresses.ts";
import { DIGITS, LOWER, textOf } from "./alphabet.ts";
import { isPlain, matches, readPattern } from "./origin-pattern.ts";
import { type AnySubject, subject } from "./subject.ts";
import { almost, anyText, pumped } from "./values.ts";

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
/** Registries, and hosts of others' pages: strangers have names directly below them. */
const SUFFIXES = ["com", "co.uk", "github.io", "kawasaki.jp"];
/** Top-level domains in which nobody can register a name. */
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

/** URLs of the pattern's own host, and those that only look like it. */
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

export const origins: AnySubject = subject<Asked, Allowed>({
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
      // Which other names are public suffixes is known to their list alone.
      const isOwn = !read.isWide || RESERVED.includes(last);
      assert.ok(!isPlain(pattern) || !isOwn, "It is a pattern, and was refused");
      return false;
    }
    const url = URL.parse(text);
    assert.equal(allowed, url !== null && matches(read, url));
    assert.ok(!read.isWide || (!SUFFIXES.includes(read.host) && read.host !== ""), "It is too wide");
    return allowed;
  },
});
