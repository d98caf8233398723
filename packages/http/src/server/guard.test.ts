import { background, createKey, withValue } from "@throughline/context";
import { expect, it, vi } from "vitest";

import { Unauthenticated } from "../wire/errors.ts";
import { NodeHeaders, single } from "../wire/headers.ts";
import { type GuardedRequest, nodeHeaders, applyGuard } from "./guard.ts";
import { ServerRequest } from "./server-request.ts";

const key = createKey<string>("who");
const headers = new NodeHeaders({ "x-other": "1" });

/** The context of a request with headers that were removed until they are verified. */
function contextWithUnverified(...unverified: [string, string][]): ServerRequest["ctx"] {
  return new ServerRequest(background, undefined, undefined, new Map(unverified)).ctx;
}

it("returns the context of the guard, synchronously or as a promise", async () => {
  const bound = withValue(background, key, "ada");
  expect(await applyGuard(() => bound, headers, background)).toBe(bound);
  expect(await applyGuard(async () => bound, headers, background)).toBe(bound);
});

it("keeps the context if the guard returns none", async () => {
  expect(await applyGuard(() => {}, headers, background)).toBe(background);
  expect(await applyGuard(async () => {}, headers, background)).toBe(background);
});

it("rejects with the error of the guard, whether it throws or rejects", async () => {
  const error = new Unauthenticated();
  await expect(
    applyGuard(
      () => {
        throw error;
      },
      headers,
      background,
    ),
  ).rejects.toBe(error);
  await expect(applyGuard(() => Promise.reject(error), headers, background)).rejects.toBe(error);
});

it("passes unverified headers to the guard, and to no other reader", async () => {
  const guard = vi.fn((_request: GuardedRequest) => {});
  await applyGuard(guard, headers, contextWithUnverified(["txn-token", "t"]));
  const [seen] = guard.mock.calls[0]!;

  expect([single(seen.headers, "txn-token"), seen.headers.get("x-other"), seen.headers.get("x-none")]).toEqual([
    "t",
    "1",
    undefined,
  ]);
  expect([...seen.headers.names()].sort()).toEqual(["txn-token", "x-other"]);
  expect([...headers.names()]).toEqual(["x-other"]);
});

it("prefers the unverified header to a header that an outer handler has set", async () => {
  const guard = vi.fn((_request: GuardedRequest) => {});
  await applyGuard(guard, new NodeHeaders({ "txn-token": "forged" }), contextWithUnverified(["txn-token", "t"]));
  expect(guard.mock.calls[0]![0].headers.get("txn-token")).toBe("t");
});

it("reads the headers of a Node request by their names in lower case", () => {
  expect(nodeHeaders({ headers: { accept: "a, b" } }).get("accept")).toBe("a, b");
});
