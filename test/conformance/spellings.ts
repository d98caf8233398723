/** Lines of a head, as a client writes them that wants something to be taken for what it is not. */
export interface Attempt {
  readonly how: string;
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** Whether it can only be written in HTTP/1. */
  readonly isRaw?: boolean;
}

const attempt = (how: string, ...lines: [string, string][]): Attempt => ({ how, lines });
const raw = (how: string, ...lines: [string, string][]): Attempt => ({ how, lines, isRaw: true });

/** Ways to write a header of this name, which is to be of two words. */
export function spellingsOf(name: string): Attempt[] {
  const [first, second] = name.split("-") as [string, string];
  const [under, dot] = [`${first}_${second}`, `${first}.${second}`];
  return [
    attempt("as it is", [name, "evil"]),
    attempt("in capitals", [name.toUpperCase(), "evil"]),
    attempt("with _ for -", [under, "evil"]),
    attempt("with . for -", [dot, "evil"]),
    attempt("in capitals, with _ for -", [under.toUpperCase(), "evil"]),
    ...["!", "#", "$", "%", "&", "'", "*", "+", "^", "`", "|", "~", "", "--", "__", "-_"].map((mark) =>
      attempt(`with ${mark || "nothing"} for -`, [`${first}${mark}${second}`, "evil"]),
    ),
    attempt("with - before it", [`-${name}`, "evil"]),
    attempt("with - behind it", [`${name}-`, "evil"]),
    attempt("as CGI writes it", [`HTTP_${under.toUpperCase()}`, "evil"]),
    attempt("in three ways at once", [name, "evil"], [under, "evil"], [dot, "evil"]),
    attempt("with _ and with .", [under, "evil"], [dot, "evil"]),
    attempt("with _ twice", [under, "evil"], [under, "evil"]),
    attempt("with _ and a comma", [under, "evil, evil"]),
    attempt("without a value", [name, ""]),
    attempt("with 9 KB", [name, "evil".repeat(2304)]),
    attempt("with percents that are no UTF-8", [name, "evil%ff%c3%28%"]),
    raw("with bytes that are no ASCII", [name, "evil\u00FF"]),
    raw("with tabs around the value", [name, "\tevil\t"]),
    raw("with a space before the colon", [`${name} `, "evil"]),
    raw("with a space before it", [` ${name}`, "evil"]),
    raw("folded", [name, "\r\n evil"]),
    raw("folded behind another", ["x-other", `1\r\n\t${name}: evil`]),
    raw("behind a newline alone", ["x-other", `1\n${name}: evil`]),
    raw("behind a carriage return alone", ["x-other", `1\r${name}: evil`]),
  ];
}

/** Ways to write it twice. */
export function doubled(name: string): Attempt[] {
  return [
    attempt("twice", [name, "evil"], [name, "evil"]),
    attempt("twice, with another value", [name, "evil"], [name, "worse"]),
    attempt("with a comma", [name, "evil, evil"]),
    raw("twice, in capitals too", [name, "evil"], [name.toUpperCase(), "evil"]),
  ];
}

/** Ways to write an entry of this name in baggage, beside one that is nobody's business. */
export function baggageWith(name: string): Attempt[] {
  const inOne = (how: string, entry: string): Attempt => attempt(how, ["baggage", `note=kept,${entry}`]);
  const many = Array.from({ length: 200 }, (_, index) => `n${index}=1`).join(",");
  return [
    inOne("as it is", `${name}=evil`),
    inOne("first", `${name}=evil,other=1`),
    inOne("with properties", `${name}=evil;level=1;flag`),
    inOne("with spaces", ` \t${name} = evil \t`),
    inOne("twice", `${name}=evil,${name}=worse`),
    inOne("without a value", `${name}=`),
    inOne("with percents that are no UTF-8", `${name}=evil%ff%c3%28`),
    inOne("with a percent that is none", `${name}=evil%`),
    inOne("with quotes", `${name}="evil"`),
    inOne("with a space in the value", `${name}=evil is`),
    inOne("with a letter that is no ASCII", `${name}=evil\u00FF`),
    inOne("with two signs of equality", `${name}==evil`),
    inOne("with an empty entry before", `,,${name}=evil`),
    inOne("in capitals", `${name.toUpperCase()}=evil`),
    inOne("with _ for -", `${name.replace("-", "_")}=evil`),
    inOne("with . for -", `${name.replace("-", ".")}=evil`),
    inOne("with a percent in the name", `${name.replace("-", "%2D")}=evil`),
    inOne("with its first letter as a percent", `%${name.charCodeAt(0).toString(16)}${name.slice(1)}=evil`),
    inOne("after two hundred others", `${many},${name}=evil`),
    inOne("before two hundred others", `${name}=evil,${many}`),
    inOne("with 9 KB", `${name}=${"evil".repeat(2304)}`),
    inOne("behind another with 9 KB", `n=${"long".repeat(2304)},${name}=evil`),
    attempt("in a header of its own", ["baggage", "note=kept"], ["baggage", `${name}=evil`]),
    attempt("in a header before", ["baggage", `${name}=evil`], ["baggage", "note=kept"]),
    attempt("in capitals of the header", ["BAGGAGE", `note=kept,${name}=evil`]),
  ];
}

/** Whether the most careless reader behind us takes this for that name: lighttpd, for one, folds all that is no letter and no digit. */
export function isTakenFor(name: string, written: string): boolean {
  let plain = written.trim();
  try {
    plain = decodeURIComponent(plain);
  } catch {
    // It is read as it is.
  }
  const letters = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return [letters(name), `http${letters(name)}`].includes(letters(plain));
}

/** The names of entries in baggage, to somebody who is not particular. */
export function namesIn(baggage: string): string[] {
  return baggage.split(/[,\n]/).map((entry) => entry.split(/[=;]/)[0]!);
}
