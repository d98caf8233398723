/** One address of a call, and whether it is an allowed origin of the client. */
export interface Hop {
  /** Without the port, which is the same for all addresses, or `:other`. In a path, `:here` stands for the port. */
  readonly address: string;
  readonly isAllowed: boolean;
}

/** The destination of a call: the first address, and the redirects that follow. */
export interface Destination {
  readonly where: string;
  readonly hops: readonly Hop[];
}

/** The allowed origins of the client. */
export const ORIGINS: readonly string[] = [
  "http://allowed.test",
  "http://also.test",
  "http://*.wide.test",
  "https://secure.test",
];

const allowed = (address: string): Hop => ({ address, isAllowed: true });
const foreign = (address: string): Hop => ({ address, isAllowed: false });
const to = (where: string, ...hops: Hop[]): Destination => ({ where, hops });

export const destinations: readonly Destination[] = [
  to("an allowed origin", allowed("http://allowed.test/")),
  to("an allowed origin in capitals", allowed("http://ALLOWED.test/")),
  to("an allowed origin over TLS", allowed("https://secure.test/")),
  to("a foreign origin", foreign("http://foreign.test/")),
  to("another port", foreign("http://allowed.test:other/")),
  to("another scheme", foreign("https://allowed.test/")),
  to("an allowed host with a dot at its end", foreign("http://allowed.test./")),
  to("a subdomain of an origin that is allowed with its subdomains", allowed("http://a.wide.test/")),
  to("a subdomain of a subdomain of such an origin", allowed("http://a.b.wide.test/")),
  to("the parent domain of such subdomains", foreign("http://wide.test/")),
  to("a subdomain of an origin that is allowed without subdomains", foreign("http://sub.allowed.test/")),
  to("a host that begins like an allowed host", foreign("http://allowed.test.evil.test/")),
  to("a host that begins like an allowed subdomain", foreign("http://a.wide.test.evil.test/")),
  to("a host that ends like an allowed host", foreign("http://evil-allowed.test/")),
  to("a host that ends like an allowed subdomain", foreign("http://evilwide.test/")),
  to("a foreign origin whose path is an allowed origin", foreign("http://evil.test/http://allowed.test:here/")),
  to("a foreign origin whose path is an allowed host", foreign("http://evil.test//allowed.test:here/")),

  to("from allowed to allowed", allowed("http://allowed.test/"), allowed("http://also.test/")),
  to("from allowed to itself", allowed("http://allowed.test/"), allowed("http://allowed.test/found")),
  to("from allowed to foreign", allowed("http://allowed.test/"), foreign("http://foreign.test/")),
  to("from foreign to allowed", foreign("http://foreign.test/"), allowed("http://allowed.test/")),
  to(
    "from allowed to foreign and back",
    allowed("http://allowed.test/"),
    foreign("http://foreign.test/"),
    allowed("http://also.test/"),
  ),
  to(
    "from foreign to allowed and on to foreign",
    foreign("http://foreign.test/"),
    allowed("http://allowed.test/"),
    foreign("http://evil.test/"),
  ),
  to("from https to http", allowed("https://secure.test/"), foreign("http://secure.test/")),
  to("from http to https", foreign("http://secure.test/"), allowed("https://secure.test/")),
  to("to another port", allowed("http://allowed.test/"), foreign("http://allowed.test:other/")),
  to("to a subdomain", allowed("http://allowed.test/"), foreign("http://sub.allowed.test/")),
  to("to a look-alike", allowed("http://allowed.test/"), foreign("http://allowed.test.evil.test/")),
  to(
    "to a foreign origin whose path is an allowed host",
    allowed("http://allowed.test/"),
    foreign("http://evil.test//allowed.test:here/"),
  ),
];

/**
 * URLs whose user name looks like a host. `fetch` rejects them; other clients drop the name or send it as credentials.
 */
export const userInfoDestinations: readonly Destination[] = [
  to("a foreign origin whose user name is an allowed host", foreign("http://allowed.test@evil.test/")),
  to(
    "to a foreign origin whose user name is an allowed host",
    allowed("http://allowed.test/"),
    foreign("http://allowed.test@evil.test/"),
  ),
];
