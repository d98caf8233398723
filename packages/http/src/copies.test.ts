import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";

import { createKey, current, DeadlineExceeded } from "@throughline/context";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { propagateIdentity } from "./adapter.ts";
import * as ours from "./index.ts";

cleanUpAfterEach();

// npm installs two copies of a package if two other packages depend on different versions of it.
describe("a second copy of this package in the process", () => {
  let theirs: typeof ours;
  let propagateTheirIdentity: typeof propagateIdentity;
  beforeAll(async () => {
    vi.resetModules();
    theirs = await import("./index.ts");
    propagateTheirIdentity = (await import("./adapter.ts")).propagateIdentity;
  });

  it("is a different module", () => {
    expect(theirs.requestContext).not.toBe(ours.requestContext);
  });

  it.each([
    ["ours", "theirs"],
    ["theirs", "ours"],
  ])("values that %s propagates are removed by the middleware that is %s", async (declaring, receiving) => {
    const copies: Record<string, typeof ours> = { ours, theirs };
    const [header, entry] = [`copies-header-of-${declaring}`, `copies-entry-of-${declaring}`];
    const { propagateValue, textCodec } = copies[declaring]!;
    propagateValue(createKey<string>("header"), { name: header, codec: textCodec, maxBytes: 64, as: "header" });
    propagateValue(createKey<string>("entry"), { name: entry, codec: textCodec, maxBytes: 64 });
    let headers: IncomingHttpHeaders = {};
    const listener = (req: IncomingMessage, res: ServerResponse): void => void ((headers = req.headers), res.end());
    const { url } = await serve(copies[receiving]!.requestContext(listener, { acceptBaggage: "any" }));
    await fetch(url, { headers: { [header]: "evil", baggage: `note=kept,${entry}=evil` } });

    expect([headers[header], headers["baggage"]]).toEqual([undefined, "note=kept"]);
  });

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

  it("nested in the first, receives the same request, and can only shorten its deadline", async () => {
    let left = 0;
    const inner = theirs.requestContext((_req, res) => void ((left = current().remaining()), res.end()), {
      maxTimeout: "9s",
    });
    const { url } = await serve(ours.requestContext((req, res) => inner(req, res), { maxTimeout: "2s" }));
    await fetch(url);

    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(2000);
  });

  it("may propagate an identity in the same header, as each copy of an identity package does", async () => {
    const declaration = { name: "copies-identity", codec: ours.textCodec, maxBytes: 64 };
    propagateIdentity(createKey<string>("identity"), declaration);
    propagateTheirIdentity(createKey<string>("identity"), declaration);
    let headers: IncomingHttpHeaders = {};
    const { url } = await serve(ours.requestContext((req, res) => void ((headers = req.headers), res.end())));
    await fetch(url, { headers: { "copies-identity": "evil" } });

    expect(headers["copies-identity"]).toBeUndefined();
  });

  it("rejects a name that gateways cannot distinguish from a name of the other copy", () => {
    const declaration = { codec: ours.textCodec, maxBytes: 64 };
    ours.propagateValue(createKey<string>("one"), { ...declaration, name: "copies-folded" });
    propagateIdentity(createKey<string>("identity"), { ...declaration, name: "copies-token" });

    expect(() => theirs.propagateValue(createKey<string>("one"), { ...declaration, name: "copies-folded" })).toThrow(
      /the name 'copies-folded' has been declared before/,
    );
    expect(() => theirs.propagateValue(createKey<string>("other"), { ...declaration, name: "copiesfolded" })).toThrow(
      /the name 'copiesfolded' cannot be told from 'copies-folded'.*gateways fold them to one/,
    );
    expect(() => propagateTheirIdentity(createKey<string>("other"), { ...declaration, name: "copies-to-ken" })).toThrow(
      /cannot be told from 'copies-token'/,
    );
  });
});
