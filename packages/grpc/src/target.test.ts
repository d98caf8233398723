import { expect, it } from "vitest";

import { addressResolver, addressOf } from "./target.ts";

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
])("the address of %s is %s", (target, host) => {
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
])("%s has no address", (target) => {
  expect(addressOf(target, PATH, false)).toBeUndefined();
});

/** A call of grpc-js that has not been started. */
function callTo(target: string, options: object = {}): { getPeer(): string; call: { channel: { options: object } } } {
  return { getPeer: () => target, call: { channel: { options } } };
}

it("an address is parsed once for each channel and procedure", () => {
  const resolve = addressResolver(false);
  const call = callTo("localhost:1");
  const address = resolve(call, PATH);
  expect(address?.host).toBe("localhost:1");
  expect(resolve({ ...call }, PATH)).toBe(address);
  expect(resolve(call, "/shop.Inventory/Reserve")?.pathname).toBe("/shop.Inventory/Reserve");
  expect(resolve(callTo("localhost:2"), PATH)?.host).toBe("localhost:2");
});

it("behind a proxy the address is that of the service", () => {
  const call = callTo("dns:127.0.0.1:3128", { "grpc.http_connect_target": "dns:inventory.internal:50051" });
  expect(addressResolver(false)(call, PATH)?.host).toBe("inventory.internal:50051");
});

it("without access to the channel the address is parsed from the peer of the call", () => {
  expect(addressResolver(false)({ getPeer: () => "localhost:1" }, PATH)?.host).toBe("localhost:1");
});
