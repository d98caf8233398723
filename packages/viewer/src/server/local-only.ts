import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";

import { Refused } from "./refused.ts";

const LOOPBACK = /^(?:localhost|(?:[\w-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Refuses what a page of somebody else's makes a browser ask. A name of theirs that leads here (DNS rebinding) is known by `Host`, a script
 * of theirs by `Origin` and `Sec-Fetch-Site`. Whatever is not a browser sends neither.
 *
 * @param hosts names that the viewer may be reached by, besides those of loopback
 */
export function refuseStrangers({ headers }: IncomingMessage, hosts: readonly string[]): void {
  const host = hostOf(`http://${headers.host ?? ""}`);
  if (host === undefined || !(LOOPBACK.test(host) || hosts.includes(host))) {
    throw new Refused(
      421,
      `Cannot answer for this host: it must be one of loopback, or named with --allow-host; received ${headers.host ?? "none"}`,
    );
  }
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}` && origin !== `https://${headers.host}`) {
    throw new Refused(403, `Cannot answer another origin: it must be the viewer's own; received ${origin}`);
  }
  const site = headers["sec-fetch-site"];
  // A link that leads here is followed as a navigation; what it opens, the other page cannot read.
  const isNavigation = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
  if (!isNavigation && (site === "cross-site" || site === "same-site")) {
    throw new Refused(403, "Cannot answer another site: only the viewer's own page may ask");
  }
}

/**
 * A name or an address as `Host` has it: in lower case, IPv6 in brackets.
 *
 * @throws TypeError if it is neither
 */
export function hostName(given: string): string {
  const name = hostOf(`http://${isIPv6(given) ? `[${given}]` : given}`);
  if (name === undefined || name === "" || (!isIPv6(given) && !/^[\w.-]+$/.test(given))) {
    throw new TypeError(
      `Cannot start the viewer: a host must be a name or an address, without a port; received "${given}"`,
    );
  }
  return name;
}

function hostOf(url: string): string | undefined {
  return URL.parse(url)?.hostname;
}
