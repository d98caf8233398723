type Address = readonly [host: string | undefined, port: number | undefined];

/** Most requests to a service ask for the same authority as the one before. */
let last: { readonly authority: string; readonly isValid: boolean; readonly address: Address } | undefined;

function parse(authority: string): NonNullable<typeof last> {
  if (last?.authority === authority) return last;
  const [, host, port] = /^(.*):(\d+)$/.exec(authority) ?? [];
  const address: Address = port === undefined ? [authority, undefined] : [host, Number(port)];
  return (last = { authority, isValid: URL.canParse(`http://${authority}`), address });
}

/** The host and the port of the authority that a client asked for. */
export function splitAuthority(authority: string | undefined): Address {
  return authority === undefined ? [undefined, undefined] : parse(authority).address;
}

/**
 * Whether a URL can be made with this authority. A request with another is answered 400 (RFC 9112, 3.2): servers that make the URL of a request
 * from it, such as connect-node, throw where nothing catches.
 */
export function isAuthority(authority: string | undefined): boolean {
  return authority === undefined || authority === "" || parse(authority).isValid;
}
