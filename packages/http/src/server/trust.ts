import { describeValue, emitWarning, nodeModule, refuseUnknown } from "@throughline/context/internal";

import type { Peer } from "../observe/server-request.ts";
import type { RequestHeaders } from "../wire/headers.ts";

/** Which peers are trusted. A peer is trusted if one of these options matches. */
export interface TrustOptions {
  /**
   * Subjects of the peer's verified certificate: `"CN=gateway"`, `"DNS:gateway.internal"`,
   * `"URI:spiffe://shop/gateway"`. The server must ask for certificates. A `CN` matches only if the certificate has a
   * single one.
   */
  subjects?: readonly string[];
  /** Whether all peers on a unix socket are trusted. @default false */
  unixSocket?: boolean;
  /** Addresses of the peer: `"10.0.0.0/8"`, `"::1"`. Behind a proxy this is the proxy's address, for every request. */
  addresses?: readonly string[];
  /**
   * Returns whether the application trusts the sender of these headers, for example because of a signature. It must
   * return synchronously: if it throws or returns a promise, the peer is not trusted, and a warning is emitted once.
   */
  verified?: (headers: RequestHeaders) => boolean;
}

/** Returns whether the peer that sent a request is trusted. */
export type Trust = (peer: Peer | undefined, headers: RequestHeaders) => boolean;

const ACTION = "make a request context";

/** @throws TypeError if an option is invalid */
export function trustOf(options: TrustOptions): Trust {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${ACTION}: 'trust' must be an object; received ${describeValue(options)}`);
  }
  const { subjects = [], unixSocket = false, addresses = [], verified, ...others } = options;
  refuseUnknown(others, ACTION);
  if (!Array.isArray(subjects) || !subjects.every((each) => typeof each === "string" && /^[\w ]+[=:]./.test(each))) {
    throw new TypeError(
      `Cannot ${ACTION}: 'subjects' must be a list such as ["CN=gateway", "URI:spiffe://shop/gateway"]; received ${describeValue(subjects)}`,
    );
  }
  if (typeof unixSocket !== "boolean") {
    throw new TypeError(`Cannot ${ACTION}: 'unixSocket' must be true or false; received ${describeValue(unixSocket)}`);
  }
  if (verified !== undefined && typeof verified !== "function") {
    throw new TypeError(`Cannot ${ACTION}: 'verified' must be a function; received ${describeValue(verified)}`);
  }
  const isKnownAddress = addressFilter(addresses);
  return (peer, headers) => {
    if (peer !== undefined) {
      if (unixSocket && peer.isUnixSocket) return true;
      if (peer.address !== undefined && isKnownAddress(peer.address)) return true;
      if (peer.subjects.some((subject) => subjects.includes(subject))) return true;
    }
    return verified !== undefined && isVerified(verified, headers);
  };
}

function isVerified(verified: NonNullable<TrustOptions["verified"]>, headers: RequestHeaders): boolean {
  let result: unknown;
  try {
    result = verified(headers);
  } catch (error) {
    warnOnce(verified, "it threw", error);
    return false;
  }
  if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
    // Without a handler its rejection would be unhandled, which ends the process.
    (result as PromiseLike<unknown>).then(undefined, () => {});
    warnOnce(verified, "it returned a promise");
  }
  return result === true;
}

const warned = new WeakSet<object>();

/**
 * Emits one warning for each `verified` function, since a defect in it would otherwise be reported at every request.
 */
function warnOnce(verified: object, why: string, error?: unknown): void {
  if (warned.has(verified)) return;
  warned.add(verified);
  const detail = error instanceof Error ? (error.stack ?? error.message) : "";
  emitWarning(`Cannot verify a peer: 'trust.verified' must return true or false; ${why}. The peer is not trusted.`, {
    type: "ThroughlineWarning",
    code: "THROUGHLINE_TRUST",
    detail,
  });
}

function addressFilter(addresses: readonly string[]): (address: string) => boolean {
  if (!Array.isArray(addresses)) throw invalidAddresses(addresses);
  if (addresses.length === 0) return () => false;
  const net = nodeModule("node:net");
  if (net === undefined)
    throw new Error(`Cannot ${ACTION}: 'addresses' needs node:net, which this runtime does not have`);
  const { isIP } = net;
  const list = new net.BlockList();
  for (const each of addresses) {
    const [, address, prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(String(each)) ?? [];
    const version = isIP(address ?? "");
    const bits = version === 4 ? 32 : 128;
    if (version === 0 || address!.includes("%") || Number(prefix ?? bits) > bits) throw invalidAddresses(each);
    list.addSubnet(address!, Number(prefix ?? bits), version === 4 ? "ipv4" : "ipv6");
  }
  return (address) => {
    // A dual-stack socket reports IPv4 peers as IPv4-mapped IPv6 addresses.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").split("%", 1)[0]!;
    return isIP(plain) !== 0 && list.check(plain, isIP(plain) === 6 ? "ipv6" : "ipv4");
  };
}

function invalidAddresses(value: unknown): TypeError {
  return new TypeError(
    `Cannot ${ACTION}: 'addresses' must be a list of addresses, or ranges such as "10.0.0.0/8"; received ${describeValue(value)}`,
  );
}
