import type { HeaderLines } from "../support/http-client.ts";

/** Header lines of a client that tries to set a header or an entry that it may not set. */
export interface HeaderVariant {
  readonly how: string;
  readonly lines: HeaderLines;
  /** Whether only HTTP/1 can send it. */
  readonly isRaw?: boolean;
}

const variant = (how: string, ...lines: [string, string][]): HeaderVariant => ({ how, lines });
const raw = (how: string, ...lines: [string, string][]): HeaderVariant => ({ how, lines, isRaw: true });

/** Spellings of a header whose name has two words. */
export function headerVariants(name: string): HeaderVariant[] {
  const [first, second] = name.split("-") as [string, string];
  const [under, dot] = [`${first}_${second}`, `${first}.${second}`];
  return [
    variant("unchanged", [name, "evil"]),
    variant("in capitals", [name.toUpperCase(), "evil"]),
    variant("with _ for -", [under, "evil"]),
    variant("with . for -", [dot, "evil"]),
    variant("in capitals, with _ for -", [under.toUpperCase(), "evil"]),
    ...["!", "#", "$", "%", "&", "'", "*", "+", "^", "`", "|", "~", "", "--", "__", "-_"].map((mark) =>
      variant(`with ${mark || "nothing"} for -`, [`${first}${mark}${second}`, "evil"]),
    ),
    variant("with - before the name", [`-${name}`, "evil"]),
    variant("with - after the name", [`${name}-`, "evil"]),
    variant("in CGI notation", [`HTTP_${under.toUpperCase()}`, "evil"]),
    variant("in three spellings at once", [name, "evil"], [under, "evil"], [dot, "evil"]),
    variant("with _ and with .", [under, "evil"], [dot, "evil"]),
    variant("with _ twice", [under, "evil"], [under, "evil"]),
    variant("with _ and a comma", [under, "evil, evil"]),
    variant("without a value", [name, ""]),
    variant("with 9 KB", [name, "evil".repeat(2304)]),
    variant("with percent-encoding that is not UTF-8", [name, "evil%ff%c3%28%"]),
    raw("with bytes outside ASCII", [name, "evil\u00FF"]),
    raw("with tabs around the value", [name, "\tevil\t"]),
    raw("with a space before the colon", [`${name} `, "evil"]),
    raw("with a space before the name", [` ${name}`, "evil"]),
    raw("folded", [name, "\r\n evil"]),
    raw("folded after another header", ["x-other", `1\r\n\t${name}: evil`]),
    raw("after a bare newline", ["x-other", `1\n${name}: evil`]),
    raw("after a bare carriage return", ["x-other", `1\r${name}: evil`]),
  ];
}

/** Variants that send the header more than once. */
export function repeatedHeaders(name: string): HeaderVariant[] {
  return [
    variant("twice", [name, "evil"], [name, "evil"]),
    variant("twice, with another value", [name, "evil"], [name, "worse"]),
    variant("with a comma", [name, "evil, evil"]),
    raw("twice, once in capitals", [name, "evil"], [name.toUpperCase(), "evil"]),
  ];
}

/** Variants of baggage with an entry of this name beside an unrelated one. */
export function baggageVariants(name: string): HeaderVariant[] {
  const inOne = (how: string, entry: string): HeaderVariant => variant(how, ["baggage", `note=kept,${entry}`]);
  const many = Array.from({ length: 200 }, (_, index) => `n${index}=1`).join(",");
  return [
    inOne("unchanged", `${name}=evil`),
    inOne("first", `${name}=evil,other=1`),
    inOne("with properties", `${name}=evil;level=1;flag`),
    inOne("with spaces", ` \t${name} = evil \t`),
    inOne("twice", `${name}=evil,${name}=worse`),
    inOne("without a value", `${name}=`),
    inOne("with percent-encoding that is not UTF-8", `${name}=evil%ff%c3%28`),
    inOne("with an incomplete percent-encoding", `${name}=evil%`),
    inOne("with quotes", `${name}="evil"`),
    inOne("with a space in the value", `${name}=evil is`),
    inOne("with a letter outside ASCII", `${name}=evil\u00FF`),
    inOne("with two equals signs", `${name}==evil`),
    inOne("with an empty entry before", `,,${name}=evil`),
    inOne("in capitals", `${name.toUpperCase()}=evil`),
    inOne("with _ for -", `${name.replace("-", "_")}=evil`),
    inOne("with . for -", `${name.replace("-", ".")}=evil`),
    inOne("with percent-encoding in the name", `${name.replace("-", "%2D")}=evil`),
    inOne("with its first letter percent-encoded", `%${name.charCodeAt(0).toString(16)}${name.slice(1)}=evil`),
    inOne("after two hundred others", `${many},${name}=evil`),
    inOne("before two hundred others", `${name}=evil,${many}`),
    inOne("with 9 KB", `${name}=${"evil".repeat(2304)}`),
    inOne("after another entry of 9 KB", `n=${"long".repeat(2304)},${name}=evil`),
    variant("in a separate header", ["baggage", "note=kept"], ["baggage", `${name}=evil`]),
    variant("in a separate header before", ["baggage", `${name}=evil`], ["baggage", "note=kept"]),
    variant("with the header name in capitals", ["BAGGAGE", `note=kept,${name}=evil`]),
  ];
}

/**
 * Whether a lenient reader behind the service reads `written` as `name`: lighttpd folds all characters except letters
 * and digits.
 */
export function readsAs(name: string, written: string): boolean {
  let plain = written.trim();
  try {
    plain = decodeURIComponent(plain);
  } catch {
    // Read without decoding.
  }
  const letters = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return [letters(name), `http${letters(name)}`].includes(letters(plain));
}

/** The names of the entries of baggage, as a lenient reader finds them. */
export function baggageNames(baggage: string): string[] {
  return baggage.split(/[,\n]/).map((entry) => entry.split(/[=;]/)[0]!);
}
