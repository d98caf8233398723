import { describeValue } from "@throughline/context/internal";
import { parse as parseDomain } from "tldts";

/** Whether a request may take something along to this URL. */
export type OriginFilter = (url: URL) => boolean;

interface Pattern {
  readonly protocol: string;
  /** A host, or what must be before it: `.example.com` for its subdomains. */
  readonly host: string;
  readonly isSuffix: boolean;
  /** As URLs have it: empty for that of the protocol; `"*"` for any. */
  readonly port: string;
}

/** Scheme, host or `*.` and a domain, and perhaps a port. */
const GRAMMAR = /^(https?):\/\/(\*\.)?([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/i;

/** What may follow `*.`: a domain, not an address, so that its last label begins with a letter. */
const DOMAIN = /(?:^|[a-z0-9]\.)[a-z][a-z0-9-]*$/i;

/**
 * Origins by an allow-list: `https://api.example.com`, `https://*.internal.example.com` (its subdomains, not itself), `http://localhost:*`.
 * Scheme, host and port must all be right; nothing else of a URL counts.
 *
 * @throws TypeError if a pattern is none, or a wildcard directly below a public suffix
 */
export function originFilter(patterns: readonly string[], action: string): OriginFilter {
  if (!Array.isArray(patterns)) {
    throw new TypeError(`Cannot ${action}: 'origins' must be a list; received ${describeValue(patterns)}`);
  }
  const known = patterns.map((each) => parse(each, action));
  return (url) => known.some((pattern) => matches(pattern, url));
}

function parse(value: unknown, action: string): Pattern {
  const match = typeof value === "string" ? GRAMMAR.exec(value) : null;
  const [, scheme, star, host, port] = match ?? [];
  // As a URL it is normalized the way that what it is compared with is: numbers for addresses, lower case, the port of the scheme.
  const url =
    match === null ? null : URL.parse(`${scheme}://${host}${port === undefined || port === "*" ? "" : `:${port}`}`);
  const isSuffix = star !== undefined;
  if (url === null || (isSuffix && !DOMAIN.test(host!)) || host!.startsWith(".") || url.hostname.endsWith(".")) {
    throw new TypeError(
      `Cannot ${action}: 'origins' must hold origins, such as "https://api.example.com", "https://*.example.com" or "http://localhost:*"; received ${describeValue(value)}`,
    );
  }
  if (isSuffix && isPublicSuffix(url.hostname)) {
    throw new TypeError(
      `Cannot ${action}: 'origins' must hold origins of your own, and strangers can have names directly below a public suffix; received ${describeValue(value)}: list the origins instead`,
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
 * Whether strangers can have names directly below the domain, by the Public Suffix List: those of registries (`co.uk`), and those of companies that
 * give names to their customers (`github.io`).
 */
function isPublicSuffix(domain: string): boolean {
  const { publicSuffix, isIcann, isPrivate } = parseDomain(domain, { allowPrivateDomains: true });
  // Of a name that is not on the list, such as `internal`, the last label counts as a suffix too.
  return publicSuffix === domain && (isIcann === true || isPrivate === true);
}

function matches({ protocol, host, isSuffix, port }: Pattern, url: URL): boolean {
  if (url.protocol !== protocol || (port !== "*" && url.port !== port)) return false;
  return isSuffix ? url.hostname.endsWith(host) && url.hostname.length > host.length : url.hostname === host;
}
