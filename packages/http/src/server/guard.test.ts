import { background, createKey, withValue } from "@throughline/context";
import { expect, it, vi } from "vitest";

import { Unauthenticated } from "../wire/errors.ts";
import { NodeHeaders, single } from "../wire/headers.ts";
import { type GuardedRequest, nodeHeaders, applyGuard } from "./guard.ts";
import { ServerRequest } from "./server-request.ts";

const key = createKey<string>("who");
const headers = new NodeHeaders({ "x-other": "1" });

/** A context of a request of which headers were held back. */
function holdingBack(...unverified: [string, string][]): ServerRequest["ctx"] {
  return new ServerRequest(background, undefined, undefined, new Map(unverified)).ctx;
}

it("gives the context that the guard gives, at once or later", async () => {
  const bound = withValue(background, key, "ada");
  expect(await applyGuard(() => bound, headers, background)).toBe(bound);
  expect(await applyGuard(async () => bound, headers, background)).toBe(bound);
});

it("goes on as it is where the guard gives none", async () => {
  expect(await applyGuard(() => {}, headers, background)).toBe(background);
  expect(await applyGuard(async () => {}, headers, background)).toBe(background);
});

it("fails as the guard does, whether it throws or rejects", async () => {
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

it("shows the guard, and nobody else, what was held back", async () => {
  const guard = vi.fn((_request: GuardedRequest) => {});
  await applyGuard(guard, headers, holdingBack(["txn-token", "t"]));
  const [seen] = guard.mock.calls[0]!;

  expect([single(seen.headers, "txn-token"), seen.headers.get("x-other"), seen.headers.get("x-none")]).toEqual([
    "t",
    "1",
    undefined,
  ]);
  expect([...seen.headers.names()].sort()).toEqual(["txn-token", "x-other"]);
  expect([...headers.names()]).toEqual(["x-other"]);
});

it("shows what was held back in the place of what a handler further out has put there", async () => {
  const guard = vi.fn((_request: GuardedRequest) => {});
  await applyGuard(guard, new NodeHeaders({ "txn-token": "forged" }), holdingBack(["txn-token", "t"]));
  expect(guard.mock.calls[0]![0].headers.get("txn-token")).toBe("t");
});

it("is told of the headers of a request of Node's, by their names in lower case", () => {
  expect(nodeHeaders({ headers: { accept: "a, b" } }).get("accept")).toBe("a, b");
});
