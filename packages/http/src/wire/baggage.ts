import { withoutSpace } from "@throughline/context/internal";

/** Limits of a `baggage` header (W3C Baggage, 3.3.2). OpenTelemetry has the same. */
const MAX_BYTES = 8192;
const MAX_MEMBERS = 180;

/** A list member of a `baggage` header. */
export interface Member {
  readonly name: string;
  /** Still percent-encoded. */
  readonly value: string;
  /** The whole member with its properties. */
  readonly text: string;
}

const MEMBER =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+)[ \t]*)?(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/**
 * Parses a `baggage` header. Drops malformed members, members beyond the limit, and all members of a header that is too
 * long.
 */
export function parseBaggage(header: string): Member[] {
  if (header.length > MAX_BYTES) return [];
  return header.split(",", MAX_MEMBERS).flatMap((each) => {
    const text = withoutSpace(each);
    const match = MEMBER.exec(text);
    return match === null ? [] : [{ name: match[1]!, value: match[2] ?? "", text }];
  });
}

/**
 * Adds entries to a `baggage` header, in place of entries with the same name. The new entries come first. Entries that
 * would exceed a limit are dropped, the last first.
 */
export function withEntries(
  header: string | undefined,
  entries: readonly (readonly [name: string, value: string])[],
): string {
  const names = new Set(entries.map(([name]) => folded(name)));
  const others = (header ?? "").split(",").filter((each) => each.trim() !== "" && !names.has(foldedName(each)));
  const all = [...entries.map(([name, value]) => `${name}=${value}`), ...others.map((each) => each.trim())];
  let length = -1;
  return all
    .slice(0, MAX_MEMBERS)
    .filter((text) => (length + 1 + text.length <= MAX_BYTES ? ((length += 1 + text.length), true) : false))
    .join(",");
}

/**
 * Removes all entries whose folded name is in `names`, see {@link folded}. Returns `undefined` if no entry is left.
 *
 * @param names folded
 */
export function withoutEntries(header: string, names: ReadonlySet<string>): string | undefined {
  const kept = header.split(",").filter((each) => each.trim() !== "" && !names.has(foldedName(each)));
  return kept.length === 0 ? undefined : kept.map((each) => each.trim()).join(",");
}

/** Keeps only the entries with exactly one of these names. Returns `undefined` if no entry is left. */
export function onlyEntries(header: string, named: readonly { readonly name: string }[]): string | undefined {
  if (named.length === 0) return undefined;
  const kept = parseBaggage(header).filter((member) => named.some(({ name }) => name === member.name));
  return kept.length === 0 ? undefined : kept.map(({ text }) => text).join(",");
}

/**
 * The folded name of a baggage entry, also of a malformed one. Percent-encoded names are decoded, as OpenTelemetry
 * does.
 */
export function foldedName(entry: string): string {
  const encoded = entry.split(/[=;]/, 1)[0]!;
  // Names of propagated values are ASCII, so only ASCII is decoded. This never throws.
  const name = encoded.replaceAll(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return folded(name.trim());
}

/**
 * Folds a name so that two names are equal if a service behind this one may confuse them. CGI and similar gateways
 * (lighttpd, PHP, WSGI) convert a header name to upper case, replace all characters except letters and digits with `_`,
 * and prepend `HTTP_`.
 */
export function folded(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "")
    .replace(/^http(?=.)/, "");
}
