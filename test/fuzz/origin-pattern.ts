import { readIPv4, readIPv6 } from "./addresses.ts";
import { asciiLower, DIGITS, isMadeOf, LOWER, LOWER_HEX } from "./alphabet.ts";

/** A pattern of origins in its parts. */
export interface Read {
  readonly scheme: string;
  readonly isWide: boolean;
  readonly host: string;
  readonly port: string;
}

/** Without regard to whether it should be refused: what it must not be taken for is more than it says. */
export function readPattern(pattern: string): Read {
  const [scheme, rest = ""] = asciiLower(pattern).split("://");
  const isWide = rest.startsWith("*.");
  const authority = isWide ? rest.slice(2) : rest;
  const at = authority.endsWith("]") ? -1 : authority.lastIndexOf(":");
  const [host, port] = at === -1 ? [authority, ""] : [authority.slice(0, at), authority.slice(at + 1)];
  return { scheme: scheme!, isWide, host, port };
}

/** What nobody could object to. */
export function isPlain(pattern: string): boolean {
  const { scheme, isWide, host, port } = readPattern(pattern);
  const labels = host.split(".");
  const isLabel = (each: string): boolean =>
    isMadeOf(each, `${LOWER}${DIGITS}-`) &&
    [each.at(0), each.at(-1)].every((end) => LOWER.includes(end ?? "-")) &&
    !each.startsWith("xn--") &&
    each.length < 64;
  const isPort = port === "" || port === "*" || (isMadeOf(port, DIGITS) && port.length <= 5 && Number(port) <= 65_535);
  const again = `${scheme}://${isWide ? "*." : ""}${host}${port === "" ? "" : `:${port}`}`;
  const isWhole = again === asciiLower(pattern) && host.length < 254 && labels.length > 1;
  return isWhole && scheme in PORTS && isPort && labels.every(isLabel);
}

const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

export function matches({ scheme, isWide, host, port }: Read, url: URL): boolean {
  const own = url.hostname;
  const isHost = isWide ? own.endsWith(`.${host}`) && own.length > host.length + 1 : isSameHost(own, host);
  const wanted = port === "" ? PORTS[scheme] : Number(port);
  return url.protocol === `${scheme}:` && isHost && (port === "*" || Number(url.port || PORTS[scheme]) === wanted);
}

function isSameHost(a: string, b: string): boolean {
  if (b.startsWith("[")) return a.startsWith("[") && readIPv6(a.slice(1, -1)) === readIPv6(b.slice(1, -1));
  const number = readNumbers(b);
  return number === undefined ? a === b : readIPv4(a) === number;
}

/** The Internet address that a host of numbers stands for: `127.1`, `0x7f000001`, `017700000001` (the URL standard's parser of IPv4). */
function readNumbers(host: string): bigint | undefined {
  const parts = host.endsWith(".") ? host.slice(0, -1).split(".") : host.split(".");
  const numbers = parts.map(readNumber);
  if (numbers.length > 4 || !numbers.every((each) => each !== undefined)) return undefined;
  const last = numbers.pop()!;
  return numbers.reduce((sum, each, index) => sum + (each << BigInt(24 - 8 * index)), last);
}

function readNumber(text: string): bigint | undefined {
  if (text === "0x") return 0n;
  if (text.startsWith("0x")) return isMadeOf(text.slice(2), LOWER_HEX) ? BigInt(text) : undefined;
  if (text === "" || !isMadeOf(text, DIGITS)) return undefined;
  if (!text.startsWith("0")) return BigInt(text);
  return isMadeOf(text, "01234567") ? BigInt(`0o${text}`) : undefined;
}
