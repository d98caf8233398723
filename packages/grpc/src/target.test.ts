import { expect, it } from "vitest";

import { addressesOf, addressOf } from "./target.ts";

const PATH = "/shop.Inventory/Stock";

it.each([
  ["localhost:50051", "localhost:50051"],
  ["dns:inventory.internal:50051", "inventory.internal:50051"],
  ["dns:///inventory.internal:50051", "inventory.internal:50051"],
  ["dns://10.0.0.1/inventory.internal:50051", "inventory.internal:50051"],
  ["passthrough:///inventory:50051", "inventory:50051"],
  ["ipv4:10.0.0.7:50051", "10.0.0.7:50051"],
  ["ipv6:[::1]:50051", "[::1]:50051"],
  ["[::1]:50051", "[::1]:50051"],
  ["inventory.internal", "inventory.internal"],
])("the address of %s is %s, by the scheme of the channel", (target, host) => {
  expect(addressOf(target, PATH, false)?.href).toBe(`http://${host}${PATH}`);
  expect(addressOf(target, PATH, true)?.protocol).toBe("https:");
});

it.each([
  "unix:/run/shop.sock",
  "unix-abstract:shop",
  "xds:///shop",
  "ipv4:10.0.0.7:1,10.0.0.8:1",
  "",
  "a b",
  "user@host:1",
])("%s has no address of one host", (target) => {
  expect(addressOf(target, PATH, false)).toBeUndefined();
});

/** A call as grpc-js makes it, before it is started. */
function callTo(target: string, options: object = {}): { getPeer(): string; call: { channel: { options: object } } } {
  return { getPeer: () => target, call: { channel: { options } } };
}

it("an address is parsed once for each channel", () => {
  const addressesTo = addressesOf(false);
  const call = callTo("localhost:1");
  const address = addressesTo(call, PATH);
  expect(address?.host).toBe("localhost:1");
  expect(addressesTo({ ...call }, PATH)).toBe(address);
  expect(addressesTo(call, "/shop.Inventory/Reserve")?.pathname).toBe("/shop.Inventory/Reserve");
  expect(addressesTo(callTo("localhost:2"), PATH)?.host).toBe("localhost:2");
});

it("the address behind a proxy is that of the service", () => {
  const call = callTo("dns:127.0.0.1:3128", { "grpc.http_connect_target": "dns:inventory.internal:50051" });
  expect(addressesOf(false)(call, PATH)?.host).toBe("inventory.internal:50051");
});

it("a channel that cannot be seen is known by what the call says of it", () => {
  expect(addressesOf(false)({ getPeer: () => "localhost:1" }, PATH)?.host).toBe("localhost:1");
});
