import { describeValue } from "@throughline/context/internal";

/**
 * Checks a URL whose server must be authentic and whose traffic must be private: `https`, or `http` to a loopback host.
 * It must contain no credentials: `fetch` rejects them with a message that discloses them.
 *
 * @throws TypeError if it is not such a URL
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
