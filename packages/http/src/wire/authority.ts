type Address = readonly [host: string | undefined, port: number | undefined];

interface ParsedAuthority {
  readonly authority: string;
  readonly isValid: boolean;
  readonly address: Address;
}

/** The last result. Most requests to a service have the same authority as the request before. */
let last: ParsedAuthority | undefined;

function parse(authority: string): ParsedAuthority {
  if (last?.authority === authority) return last;
  const [, host, port] = /^(.*):(\d+)$/.exec(authority) ?? [];
  const address: Address = port === undefined ? [authority, undefined] : [host, Number(port)];
  return (last = { authority, isValid: URL.canParse(`http://${authority}`), address });
}

/** Splits an authority into host and port. */
export function splitAuthority(authority: string | undefined): Address {
  return authority === undefined ? [undefined, undefined] : parse(authority).address;
}

/**
 * Whether a URL can contain this authority; an absent or empty one is valid. A request with an invalid authority is
 * answered 400 (RFC 9112, 3.2), because servers that build a URL from it, such as connect-node, throw where no handler
 * catches.
 */
export function isAuthority(authority: string | undefined): boolean {
  return authority === undefined || authority === "" || parse(authority).isValid;
}
