import { expect, it } from "vitest";

import { addressesOf } from "./target.ts";

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
  expect(addressesOf(false)(target, PATH)?.href).toBe(`http://${host}${PATH}`);
  expect(addressesOf(true)(target, PATH)?.protocol).toBe("https:");
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
  expect(addressesOf(false)(target, PATH)).toBeUndefined();
});

it("an address is parsed once", () => {
  const addressOf = addressesOf(false);
  expect(addressOf("localhost:1", PATH)).toBe(addressOf("localhost:1", PATH));
});
