import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";

import { createKey, current, DeadlineExceeded } from "@throughline/context";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { propagateIdentity } from "./adapter.ts";
import * as ours from "./index.ts";

cleanUpAfterEach();

// npm installs two copies of a package if two dependents require different versions.
describe("a second copy of this package in the process", () => {
  let theirs: typeof ours;
  let propagateTheirIdentity: typeof propagateIdentity;
  beforeAll(async () => {
    vi.resetModules();
    theirs = await import("./index.ts");
    propagateTheirIdentity = (await import("./adapter.ts")).propagateIdentity;
  });

  it("is a different module instance", () => {
    expect(theirs.requestContext).not.toBe(ours.requestContext);
  });

  it.each([
    ["ours", "theirs"],
    ["theirs", "ours"],
  ])(
    "headers and baggage that the copy %s propagates are removed by the middleware of the copy %s",
    async (propagating, receiving) => {
      const copies: Record<string, typeof ours> = { ours, theirs };
      const [header, entry] = [`copies-header-of-${propagating}`, `copies-entry-of-${propagating}`];
      const { propagateValue, textCodec } = copies[propagating]!;
      propagateValue(createKey<string>("header"), { name: header, codec: textCodec, maxBytes: 64, as: "header" });
      propagateValue(createKey<string>("entry"), { name: entry, codec: textCodec, maxBytes: 64 });
      let headers: IncomingHttpHeaders = {};
      const listener = (req: IncomingMessage, res: ServerResponse): void => void ((headers = req.headers), res.end());
      const { url } = await serve(copies[receiving]!.requestContext(listener, { acceptBaggage: "any" }));
      await fetch(url, { headers: { [header]: "evil", baggage: `note=kept,${entry}=evil` } });

      expect([headers[header], headers["baggage"]]).toEqual([undefined, "note=kept"]);
    },
  );

  it.each<[status: number, make: (copy: typeof ours) => Error]>([
    [504, () => new DeadlineExceeded()],
    [503, (copy) => new copy.ServerDraining()],
    [503, (copy) => new copy.ServerOverloaded()],
    [401, (copy) => new copy.Unauthenticated()],
    [403, (copy) => new copy.Forbidden()],
    [400, (copy) => new copy.InvalidHeader("x-a")],
    [400, (copy) => new copy.InvalidDeadline("grpc-timeout", "a number", "soon")],
  ])("answers %i for an error of the other copy", async (status, make) => {
    for (const [throwing, receiving] of [
      [ours, theirs],
      [theirs, ours],
    ] as const) {
      const { url } = await serve(
        receiving.requestContext(() => {
          throw new Error("the query failed", { cause: make(throwing) });
        }),
      );
      expect((await fetch(url)).status).toBe(status);
    }
  });

  it("as inner middleware of the same request can only shorten the deadline", async () => {
    let left = 0;
    const inner = theirs.requestContext((_req, res) => void ((left = current().remaining()), res.end()), {
      maxTimeout: "9s",
    });
    const { url } = await serve(ours.requestContext((req, res) => inner(req, res), { maxTimeout: "2s" }));
    await fetch(url);

    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(2000);
  });

  it("may propagate the same identity header, as each copy of an identity package does", async () => {
    const options = { name: "copies-identity", codec: ours.textCodec, maxBytes: 64 };
    propagateIdentity(createKey<string>("identity"), options);
    propagateTheirIdentity(createKey<string>("identity"), options);
    let headers: IncomingHttpHeaders = {};
    const { url } = await serve(ours.requestContext((req, res) => void ((headers = req.headers), res.end())));
    await fetch(url, { headers: { "copies-identity": "evil" } });

    expect(headers["copies-identity"]).toBeUndefined();
  });

  it("rejects a name that gateways may confuse with a name of the other copy", () => {
    const options = { codec: ours.textCodec, maxBytes: 64 };
    ours.propagateValue(createKey<string>("one"), { ...options, name: "copies-folded" });
    propagateIdentity(createKey<string>("identity"), { ...options, name: "copies-token" });

    expect(() => theirs.propagateValue(createKey<string>("one"), { ...options, name: "copies-folded" })).toThrow(
      /'name' must be unique; 'copies-folded' is already in use/,
    );
    expect(() => theirs.propagateValue(createKey<string>("other"), { ...options, name: "copiesfolded" })).toThrow(
      /'name' must differ from 'copies-folded'.*which gateways may drop; received string "copiesfolded"/,
    );
    expect(() => propagateTheirIdentity(createKey<string>("other"), { ...options, name: "copies-to-ken" })).toThrow(
      /'name' must differ from 'copies-token'/,
    );
  });
});
