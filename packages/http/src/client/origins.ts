import { describe } from "@throughline/context";

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

/** Scheme, host or `*.` and a domain of at least two labels, and perhaps a port. */
const GRAMMAR = /^(https?):\/\/(\*\.)?([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/i;

/**
 * Origins by an allow-list: `https://api.example.com`, `https://*.internal.example.com` (its subdomains, not itself), `http://localhost:*`.
 * Scheme, host and port must all be right; nothing else of a URL counts.
 *
 * @throws TypeError if a pattern is none
 */
export function originFilter(patterns: readonly string[], action: string): OriginFilter {
  if (!Array.isArray(patterns)) {
    throw new TypeError(`Cannot ${action}: 'origins' must be a list: current value is ${describe(patterns)}`);
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
  const isWide = star !== undefined && (!/[a-z0-9]\.[a-z]/i.test(host!) || /^[\d.]+$/.test(url?.hostname ?? ""));
  if (url === null || isWide || host!.startsWith(".") || url.hostname.endsWith(".")) {
    throw new TypeError(
      `Cannot ${action}: 'origins' must hold origins, such as "https://api.example.com", "https://*.example.com" or "http://localhost:*": current value is ${describe(value)}`,
    );
  }
  const isSuffix = star !== undefined;
  return {
    protocol: url.protocol,
    host: isSuffix ? `.${url.hostname}` : url.hostname,
    isSuffix,
    port: port === "*" ? "*" : url.port,
  };
}

function matches({ protocol, host, isSuffix, port }: Pattern, url: URL): boolean {
  if (url.protocol !== protocol || (port !== "*" && url.port !== port)) return false;
  return isSuffix ? url.hostname.endsWith(host) && url.hostname.length > host.length : url.hostname === host;
}
