/** One address on the way of a call, and whether it is one of the client's own origins. */
export interface Hop {
  /** Without a port: that is one and the same for all, or `:other`. In a path, `:here` stands for it. */
  readonly address: string;
  readonly isOurs: boolean;
}

/** Where a call goes: to the first address, and on by redirects. */
export interface Place {
  readonly where: string;
  readonly hops: readonly Hop[];
}

/** What the client is told to call its own. */
export const ORIGINS: readonly string[] = [
  "http://allowed.test",
  "http://also.test",
  "http://*.wide.test",
  "https://secure.test",
];

const ours = (address: string): Hop => ({ address, isOurs: true });
const strange = (address: string): Hop => ({ address, isOurs: false });
const place = (where: string, ...hops: Hop[]): Place => ({ where, hops });

export const places: readonly Place[] = [
  place("an allowed origin", ours("http://allowed.test/")),
  place("an allowed origin in capitals", ours("http://ALLOWED.test/")),
  place("an allowed origin over TLS", ours("https://secure.test/")),
  place("a stranger", strange("http://stranger.test/")),
  place("another port", strange("http://allowed.test:other/")),
  place("another scheme", strange("https://allowed.test/")),
  place("an allowed host with a dot at its end", strange("http://allowed.test./")),
  place("a subdomain of one that is allowed with its subdomains", ours("http://a.wide.test/")),
  place("a subdomain of a subdomain of it", ours("http://a.b.wide.test/")),
  place("that one itself", strange("http://wide.test/")),
  place("a subdomain of one that is allowed alone", strange("http://sub.allowed.test/")),
  place("a host that begins as an allowed one", strange("http://allowed.test.evil.test/")),
  place("a host that begins as an allowed subdomain", strange("http://a.wide.test.evil.test/")),
  place("a host that ends as an allowed one", strange("http://evil-allowed.test/")),
  place("a host that ends as an allowed subdomain", strange("http://evilwide.test/")),
  place("a stranger with a path as an allowed origin", strange("http://evil.test/http://allowed.test:here/")),
  place("a stranger with a path as an allowed host", strange("http://evil.test//allowed.test:here/")),

  place("from allowed to allowed", ours("http://allowed.test/"), ours("http://also.test/")),
  place("from allowed to itself", ours("http://allowed.test/"), ours("http://allowed.test/found")),
  place("from allowed to a stranger", ours("http://allowed.test/"), strange("http://stranger.test/")),
  place("from a stranger to allowed", strange("http://stranger.test/"), ours("http://allowed.test/")),
  place(
    "to a stranger and back",
    ours("http://allowed.test/"),
    strange("http://stranger.test/"),
    ours("http://also.test/"),
  ),
  place(
    "from a stranger to allowed and on to a stranger",
    strange("http://stranger.test/"),
    ours("http://allowed.test/"),
    strange("http://evil.test/"),
  ),
  place("down from https to http", ours("https://secure.test/"), strange("http://secure.test/")),
  place("up from http to https", strange("http://secure.test/"), ours("https://secure.test/")),
  place("to another port", ours("http://allowed.test/"), strange("http://allowed.test:other/")),
  place("to a subdomain", ours("http://allowed.test/"), strange("http://sub.allowed.test/")),
  place("to a look-alike", ours("http://allowed.test/"), strange("http://allowed.test.evil.test/")),
  place("to a path as an allowed host", ours("http://allowed.test/"), strange("http://evil.test//allowed.test:here/")),
];

/** A user's name that looks as a host. `fetch` goes to none of these; others drop the name, or send it as credentials. */
export const namesOfUsers: readonly Place[] = [
  place("a stranger with a user as an allowed host", strange("http://allowed.test@evil.test/")),
  place("to a user as an allowed host", ours("http://allowed.test/"), strange("http://allowed.test@evil.test/")),
];
