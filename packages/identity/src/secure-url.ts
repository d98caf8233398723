import { describeValue } from "@throughline/context/internal";

/**
 * A URL of which what comes can be believed, and what goes is not overheard: `https`, or loopback. Without credentials, which a `fetch` refuses
 * in words that tell them.
 *
 * @throws TypeError if it is none
 */
export function secureUrl(value: unknown, name: string, action: string): URL {
  const url = URL.parse(String(value));
  const isLoopback = url !== null && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  const isSecure = url !== null && (url.protocol === "https:" || (url.protocol === "http:" && isLoopback));
  if (!isSecure || url.username !== "" || url.password !== "") {
    const shown = url === null ? describeValue(value) : `${url.protocol}//${url.host}${url.pathname}`;
    throw new TypeError(`Cannot ${action}: '${name}' must be an https URL without credentials; received ${shown}`);
  }
  return url;
}
