import { expect, it, vi } from "vitest";

import type { Peer } from "../observe/server-request.ts";
import { NodeHeaders } from "../wire/headers.ts";
import { trustOf, type TrustOptions } from "./trust.ts";

const headers = new NodeHeaders({ "x-signature": "good" });

function peer(known: Partial<Peer>): Peer {
  return { address: undefined, isUnixSocket: false, subjects: [], ...known };
}

it.each<[TrustOptions, Partial<Peer>, boolean]>([
  [{}, { address: "127.0.0.1", isUnixSocket: true, subjects: ["CN=gateway"] }, false],
  [{ addresses: ["10.0.0.0/8"] }, { address: "10.255.0.1" }, true],
  [{ addresses: ["10.0.0.0/8"] }, { address: "11.0.0.1" }, false],
  [{ addresses: ["10.0.0.0/8"] }, { address: "::ffff:10.0.0.1" }, true],
  [{ addresses: ["10.0.0.7"] }, { address: "10.0.0.7" }, true],
  [{ addresses: ["10.0.0.7"] }, { address: "10.0.0.70" }, false],
  [{ addresses: ["::1"] }, { address: "::1" }, true],
  [{ addresses: ["::1"] }, { address: "127.0.0.1" }, false],
  [{ addresses: ["fe80::/10"] }, { address: "fe80::1%eth0" }, true],
  [{ addresses: ["0.0.0.0/0"] }, { address: "::1" }, false],
  [{ addresses: ["0.0.0.0/0", "::/0"] }, { address: undefined }, false],
  [{ unixSocket: true }, { isUnixSocket: true }, true],
  [{ unixSocket: true }, { address: "127.0.0.1" }, false],
  [{ addresses: ["127.0.0.1"] }, { isUnixSocket: true }, false],
  [{ subjects: ["CN=gateway"] }, { subjects: ["CN=gateway", "DNS:gateway.internal"] }, true],
  [{ subjects: ["DNS:gateway.internal"] }, { subjects: ["CN=gateway", "DNS:gateway.internal"] }, true],
  [{ subjects: ["CN=gateway"] }, { subjects: ["CN=gateway2"] }, false],
  [{ subjects: ["CN=gateway"] }, { subjects: ["CN=GATEWAY"] }, false],
  [{ subjects: ["DNS:*.internal"] }, { subjects: ["DNS:gateway.internal"] }, false],
])("with %j, %j is trusted: %s", (options, known, isTrusted) => {
  expect(trustOf(options)(peer(known), headers)).toBe(isTrusted);
});

it("trusts a peer for which verified returns true, also without a connection, and for no other value", () => {
  const verified = trustOf({ verified: (received) => received.get("x-signature") === "good" });
  expect([verified(undefined, headers), verified(undefined, new NodeHeaders({}))]).toEqual([true, false]);
  expect(trustOf({ verified: () => 1 as never })(undefined, headers)).toBe(false);
  expect(trustOf({ addresses: ["0.0.0.0/0"] })(undefined, headers)).toBe(false);
});

it.each<[unknown, RegExp]>([
  [null, /'trust' must be an object; received null/],
  [true, /'trust' must be an object/],
  [{ proxies: 1 }, /'proxies'/],
  [{ subjects: "CN=gateway" }, /'subjects' must be a list such as \["CN=gateway"/],
  [{ subjects: ["gateway"] }, /'subjects' must be a list/],
  [{ unixSocket: "yes" }, /'unixSocket' must be true or false; received string "yes"/],
  [{ verified: true }, /'verified' must be a function/],
  [{ addresses: "10.0.0.0/8" }, /'addresses' must be a list of addresses/],
  [{ addresses: ["10.0.0.0/33"] }, /received string "10\.0\.0\.0\/33"/],
  [{ addresses: ["10.0.0"] }, /'addresses' must be a list/],
  [{ addresses: ["gateway.internal"] }, /'addresses' must be a list/],
  [{ addresses: ["10.0.0.0/"] }, /'addresses' must be a list/],
  [{ addresses: ["10.0.0.0/8/8"] }, /'addresses' must be a list/],
])("rejects the options %j", (options, message) => {
  expect(() => trustOf(options as TrustOptions)).toThrow(message);
});

it("'addresses' is an error in a runtime without node:net", () => {
  vi.stubGlobal("process", undefined);
  const create = (): unknown => trustOf({ addresses: ["10.0.0.0/8"] });
  try {
    expect(create).toThrow("'addresses' needs node:net, which this runtime does not have");
    expect(trustOf({ verified: () => true })(undefined, headers)).toBe(true);
  } finally {
    vi.unstubAllGlobals();
  }
});
