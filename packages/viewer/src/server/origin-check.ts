import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";

import { HttpError } from "./http-error.ts";

const LOOPBACK = /^(?:localhost|(?:[\w-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Rejects requests that a foreign page makes a browser send. `Host` reveals a foreign name that resolves to this
 * machine (DNS rebinding); `Origin` and `Sec-Fetch-Site` reveal a foreign script (CSRF). Clients other than browsers
 * send neither of these two.
 *
 * @param hosts accepted host names besides loopback
 * @throws HttpError if the request is rejected
 */
export function checkOrigin({ headers }: IncomingMessage, hosts: readonly string[]): void {
  const host = hostOf(`http://${headers.host ?? ""}`);
  if (host === undefined || !(LOOPBACK.test(host) || hosts.includes(host))) {
    throw new HttpError(
      421,
      "Cannot answer: the Host header must be a loopback name, or one that --allow-host permits; " +
        `received ${headers.host ?? "none"}`,
    );
  }
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}` && origin !== `https://${headers.host}`) {
    throw new HttpError(403, `Cannot answer: the Origin header must be the viewer's own origin; received ${origin}`);
  }
  const site = headers["sec-fetch-site"];
  // A link from another site is a navigation: the other site cannot read the response.
  const isNavigation = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
  if (!isNavigation && (site === "cross-site" || site === "same-site")) {
    throw new HttpError(
      403,
      `Cannot answer: only the viewer's own page may send requests; received Sec-Fetch-Site ${site}`,
    );
  }
}

/**
 * Converts a host name or an address to the form it has in `Host`: lower case, IPv6 in brackets.
 *
 * @throws TypeError if it is neither
 */
export function hostName(given: string): string {
  const name = hostOf(`http://${isIPv6(given) ? `[${given}]` : given}`);
  if (name === undefined || name === "" || (!isIPv6(given) && !/^[\w.-]+$/.test(given))) {
    throw new TypeError(
      `Cannot start the viewer: 'host' and 'allowHosts' must be names or addresses without a port; received "${given}"`,
    );
  }
  return name;
}

function hostOf(url: string): string | undefined {
  return URL.parse(url)?.hostname;
}
