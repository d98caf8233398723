import { describeValue } from "@throughline/context/internal";
import { parse as parseDomain } from "tldts";

/** Whether the origin of a URL is on an allow-list. */
export type OriginFilter = (url: URL) => boolean;

interface Pattern {
  readonly protocol: string;
  /** A host, or a suffix of hosts: `.example.com` for the subdomains of `example.com`. */
  readonly host: string;
  readonly isSuffix: boolean;
  /** As in `URL`: empty for the default port of the protocol; `"*"` for any port. */
  readonly port: string;
}

/** A scheme, a host or `*.` and a domain, and an optional port. */
const GRAMMAR = /^(https?):\/\/(\*\.)?([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/i;

/** A domain after `*.`. The last label starts with a letter, so that it is not an address. */
const DOMAIN = /(?:^|[a-z0-9]\.)[a-z][a-z0-9-]*$/i;

/**
 * Creates an allow-list of origins: `https://api.example.com`, `https://*.internal.example.com` (its subdomains, not
 * the domain itself), `http://localhost:*`. Compares scheme, host and port of a URL.
 *
 * @throws TypeError if a pattern is malformed, or a wildcard directly below a public suffix
 */
export function originFilter(patterns: readonly string[], action: string): OriginFilter {
  if (!Array.isArray(patterns)) {
    throw new TypeError(`Cannot ${action}: 'origins' must be an array; received ${describeValue(patterns)}`);
  }
  const parsed = patterns.map((each) => parse(each, action));
  return (url) => parsed.some((pattern) => matches(pattern, url));
}

function parse(value: unknown, action: string): Pattern {
  const match = typeof value === "string" ? GRAMMAR.exec(value) : null;
  const [, scheme, star, host, port] = match ?? [];
  // `URL` normalizes the pattern like the URLs that it is compared with: addresses to numbers, names to lower case, a
  // default port to an empty one.
  const url =
    match === null ? null : URL.parse(`${scheme}://${host}${port === undefined || port === "*" ? "" : `:${port}`}`);
  const isSuffix = star !== undefined;
  if (url === null || (isSuffix && !DOMAIN.test(host!)) || host!.startsWith(".") || url.hostname.endsWith(".")) {
    throw new TypeError(
      `Cannot ${action}: 'origins' must contain only origins, such as "https://api.example.com", ` +
        `"https://*.example.com" or "http://localhost:*"; received ${describeValue(value)}`,
    );
  }
  if (isSuffix && isPublicSuffix(url.hostname)) {
    throw new TypeError(
      `Cannot ${action}: 'origins' must not contain a wildcard directly below a public suffix, where anyone can ` +
        `register a name; received ${describeValue(value)}. List the exact origins instead`,
    );
  }
  return {
    protocol: url.protocol,
    host: isSuffix ? `.${url.hostname}` : url.hostname,
    isSuffix,
    port: port === "*" ? "*" : url.port,
  };
}

/**
 * Whether the domain is on the Public Suffix List, so that anyone can register a name directly below it: suffixes of
 * registries (`co.uk`) and of companies that give names to their customers (`github.io`).
 */
function isPublicSuffix(domain: string): boolean {
  const { publicSuffix, isIcann, isPrivate } = parseDomain(domain, { allowPrivateDomains: true });
  // tldts also returns the last label of a name that is not on the list, such as `internal`.
  return publicSuffix === domain && (isIcann === true || isPrivate === true);
}

function matches({ protocol, host, isSuffix, port }: Pattern, url: URL): boolean {
  if (url.protocol !== protocol || (port !== "*" && url.port !== port)) return false;
  return isSuffix ? url.hostname.endsWith(host) && url.hostname.length > host.length : url.hostname === host;
}
