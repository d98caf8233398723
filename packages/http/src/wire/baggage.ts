import { withoutSpace } from "@throughline/context/internal";

/** The most that baggage may be (W3C Baggage, 3.3.2; the same as OpenTelemetry's). */
const MOST_BYTES = 8192;
const MOST_MEMBERS = 180;

/** One entry: its name, what it is as it was written, and the whole member with its properties. */
export interface Member {
  readonly name: string;
  readonly value: string;
  readonly text: string;
}

const MEMBER =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+)[ \t]*)?(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** The members of a `baggage` header that follow the grammar; what does not is left out, and all of it if it is too long. */
export function parseBaggage(header: string): Member[] {
  if (header.length > MOST_BYTES) return [];
  return header.split(",", MOST_MEMBERS).flatMap((each) => {
    const text = withoutSpace(each);
    const match = MEMBER.exec(text);
    return match === null ? [] : [{ name: match[1]!, value: match[2] ?? "", text }];
  });
}

/** A `baggage` header with entries added in the place of any of the same name. Entries that would make it too long are left out, the last first. */
export function withEntries(
  header: string | undefined,
  entries: readonly (readonly [name: string, value: string])[],
): string {
  const names = new Set(entries.map(([name]) => folded(name)));
  const others = (header ?? "").split(",").filter((each) => each.trim() !== "" && !names.has(foldedName(each)));
  const all = [...entries.map(([name, value]) => `${name}=${value}`), ...others.map((each) => each.trim())];
  let length = -1;
  return all
    .slice(0, MOST_MEMBERS)
    .filter((text) => (length + 1 + text.length <= MOST_BYTES ? ((length += 1 + text.length), true) : false))
    .join(",");
}

/**
 * The header without the entries that a careless reader would take for one of these; `undefined` if nothing is left.
 *
 * @param names folded
 */
export function withoutEntries(header: string, names: ReadonlySet<string>): string | undefined {
  const kept = header.split(",").filter((each) => each.trim() !== "" && !names.has(foldedName(each)));
  return kept.length === 0 ? undefined : kept.map((each) => each.trim()).join(",");
}

/** The members of the header that have one of these names, as it is written; `undefined` if there are none. */
export function onlyEntries(header: string, named: readonly { readonly name: string }[]): string | undefined {
  if (named.length === 0) return undefined;
  const kept = parseBaggage(header).filter((member) => named.some(({ name }) => name === member.name));
  return kept.length === 0 ? undefined : kept.map(({ text }) => text).join(",");
}

/** What an entry may be taken for, whether it follows the grammar or not: OpenTelemetry, for one, decodes names. */
export function foldedName(entry: string): string {
  const written = entry.split(/[=;]/, 1)[0]!;
  // PropagatedValue names are of ASCII: nothing else need be decoded, and nothing throws.
  const name = written.replaceAll(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return folded(name.trim());
}

/**
 * The name as the most careless reader behind us may see it: CGI and its kin (lighttpd, PHP, WSGI) upper-case a header, write `_` for all that
 * is not a letter or a digit, and put `HTTP_` before it.
 */
export function folded(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "")
    .replace(/^http(?=.)/, "");
}
