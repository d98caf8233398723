import { propagation } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { background, type Context, createKey, current, type Key, run, withValue } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { criticality, propagateValue, jsonCodec, textCodec, type TrustOptions } from "@throughline/http";
import { describe, expect, it, vi } from "vitest";

import { countDuringEach } from "../support/measurements.ts";
import { serveOn } from "../support/serving.ts";
import { sendStrange } from "../support/strange-client.ts";
import { hosts } from "./hosts/index.ts";
import { type Attempt, doubled, isTakenFor } from "./spellings.ts";

interface Limits {
  readonly least: number;
  readonly most: number;
}

const isLimits = (value: unknown): value is Limits =>
  typeof value === "object" && value !== null && "least" in value && "most" in value;

const regionKey = createKey<string>("region");
const tenantKey = createKey<string>("tenant");
const limitsKey = createKey<Limits>("limits");
const guestKey = createKey<string>("guest");
propagateValue(regionKey, { name: "trusted-region", codec: textCodec, maxBytes: 64, as: "header" });
propagateValue(tenantKey, { name: "trusted-tenant", codec: textCodec, maxBytes: 64 });
propagateValue(limitsKey, { name: "trusted-limits", codec: jsonCodec(isLimits), maxBytes: 64, as: "header" });
propagateValue(guestKey, { name: "trusted-guest", codec: textCodec, maxBytes: 64, accept: "anyone" });

const LOOPBACK: TrustOptions = { addresses: ["127.0.0.1/32"] };
const SIGNED: TrustOptions = { verified: (headers) => headers.get("x-signature") === "good" };
const NEXT = "http://next.example";

function explode(): never {
  throw new Error("the key is missing");
}

describe.each(hosts)("$name", (host) => {
  const { serving } = serveOn(host);
  const counted = countDuringEach();

  interface Found {
    status: number;
    answer: string;
    ctx: Context | undefined;
    headers: Record<string, string>;
    /** What the handler's call to the next service was sent with. */
    sent: Headers;
  }

  /** What a handler finds of these lines, and sends on. */
  async function found(lines: Attempt["lines"], trust: TrustOptions = LOOPBACK): Promise<Found> {
    const seen = { ctx: undefined as Context | undefined, headers: {}, sent: new Headers() };
    const fetch = createFetch({
      origins: [NEXT],
      fetch: async (_input, init) => ((seen.sent = new Headers(init?.headers)), new Response()),
    });
    const url = await serving(
      async (received) => {
        seen.ctx = current();
        seen.headers = received.headers();
        await fetch(NEXT);
        return "ok";
      },
      { trust },
    );
    return { ...(await sendStrange(host.protocol, url, lines)), ...seen };
  }

  const refused = (): Promise<unknown> => counted("throughline.values.refused");

  describe("a peer that is trusted", () => {
    it.each<[string, TrustOptions, Attempt["lines"]]>([
      ["by its address", LOOPBACK, []],
      ["by the range of its address", { addresses: ["::1", "127.0.0.0/8"] }, []],
      ["by what the application knows", SIGNED, [["x-signature", "good"]]],
    ])("%s, has its values taken and sent on", async (_, trust, lines) => {
      const own: Attempt["lines"] = [
        ["Trusted-Region", "eu-1"],
        ["baggage", "note=1,trusted-tenant=caf%C3%A9%2C%20bar"],
      ];
      const { ctx, headers, sent } = await found([...own, ...lines], trust);

      expect([ctx?.value(regionKey), ctx?.value(tenantKey)]).toEqual(["eu-1", "caf\u00E9, bar"]);
      expect(sent.get("trusted-region")).toBe("eu-1");
      expect(sent.get("baggage")).toBe("trusted-tenant=caf%C3%A9%2C%20bar");
      expect(headers["baggage"]).toBe(own[1]![1]);
      expect(await refused()).toEqual([]);
    });

    it("has its values kept out of OpenTelemetry's baggage, which instrumentations send to everyone", async () => {
      const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
      propagation.setGlobalPropagator(new CompositePropagator({ propagators }));
      const { ctx } = await found([["baggage", "note=1,trusted-tenant=acme"]]);
      propagation.disable();

      expect(ctx!.value(tenantKey)).toBe("acme");
      const entries = propagation.getBaggage(ctx!)!.getAllEntries();
      expect(entries.map(([name, { value }]) => [name, value])).toEqual([["note", "1"]]);
    });

    it.each(["Trusted_Region", "trusted.region"])("has what it writes as %s taken away", async (name) => {
      const { ctx, headers } = await found([[name, "eu-1"]]);

      expect(ctx!.value(regionKey)).toBeUndefined();
      expect(Object.keys(headers).filter((each) => isTakenFor("trusted-region", each))).toEqual([]);
      expect(await refused()).toEqual([[{ name: "trusted-region", reason: "untrusted" }, 1]]);
    });

    it.each(doubled("trusted-region").filter(({ isRaw }) => host.protocol === "http/1.1" || isRaw !== true))(
      "is refused where one header may be somebody else's: $how",
      async ({ lines }) => {
        const { status, answer, ctx } = await found(lines);

        expect([status, ctx]).toEqual([400, undefined]);
        expect(answer).toMatch("application/problem+json");
        expect(answer).toMatch("Cannot read the header trusted-region: it must be sent once");
      },
    );

    it.each<[string, string, Attempt["lines"]]>([
      ["a header that is too long", "trusted-region", [["trusted-region", "x".repeat(65)]]],
      ["a header of 9 KB", "trusted-region", [["trusted-region", "x".repeat(9216)]]],
      ["an entry that is too long", "trusted-tenant", [["baggage", `trusted-tenant=${"x".repeat(65)}`]]],
      ["an entry too long by its percents", "trusted-tenant", [["baggage", `trusted-tenant=${"%41".repeat(22)}`]]],
      ["an entry with percents that are no UTF-8", "trusted-tenant", [["baggage", "trusted-tenant=%ff%c3%28"]]],
      ["an entry with a percent that is none", "trusted-tenant", [["baggage", "trusted-tenant=a%"]]],
      ["a header that its codec cannot read", "trusted-limits", [["trusted-limits", "{least"]]],
      ["a header that is not what it should be", "trusted-limits", [["trusted-limits", "[7]"]]],
    ])("has %s dropped and counted, and the request goes on", async (_, name, lines) => {
      const { status, ctx } = await found([...lines, ["x-other", "1"]]);

      expect(status).toBe(200);
      expect([regionKey, tenantKey, limitsKey].map((key) => ctx!.value(key as Key<unknown>))).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect(await refused()).toEqual([[{ name, reason: "invalid" }, 1]]);
    });

    it.each<[string, string]>([
      ["with letters that are longer when they are sent on", `trusted-tenant=${"/".repeat(64)}`],
      ["without a value", "trusted-tenant="],
    ])("can be believed an entry %s, or not, but calls go on", async (_, baggage) => {
      expect((await found([["baggage", baggage]])).status).toBe(200);
    });

    it.each(["", "caf\u00E9"])("can be believed a header of %j, or not, but calls go on", async (value) => {
      if (host.protocol === "http/2" && value !== "") return;
      expect((await found([["trusted-region", value]])).status).toBe(200);
    });

    it("is understood whatever value could be bound", async () => {
      const limits = { least: 1, most: 2 };
      let ctx: Context;
      try {
        ctx = withValue(background, limitsKey, limits);
      } catch {
        return; // It is said where it is bound.
      }
      let line: [string, string] | undefined;
      const name = "trusted-limits";
      const fetch = createFetch({
        origins: [NEXT],
        fetch: async (_, init) => ((line = [name, new Headers(init?.headers).get(name)!]), new Response()),
      });
      await run(ctx, () => fetch(NEXT));

      expect((await found([line!])).ctx?.value(limitsKey)).toEqual(limits);
    });
  });

  describe("a peer that is not trusted", () => {
    it.each<[string, TrustOptions]>([
      ["by its address", { addresses: ["127.0.0.2", "::1/128"] }],
      ["by what the application knows", SIGNED],
      ["at all", {}],
    ])("%s, has its values taken away, and counted", async (_, trust) => {
      const lines: Attempt["lines"] = [
        ["trusted-region", "eu-1"],
        ["baggage", "trusted-tenant=acme"],
        ["x-signature", "bad"],
      ];
      const { ctx, headers, sent } = await found(lines, trust);

      expect([ctx!.value(regionKey), ctx!.value(tenantKey)]).toEqual([undefined, undefined]);
      expect([sent.get("trusted-region"), sent.get("baggage")]).toEqual([null, null]);
      expect(Object.keys(headers)).not.toContain("baggage");
      expect(await refused()).toEqual([
        [{ name: "trusted-region", reason: "untrusted" }, 1],
        [{ name: "trusted-tenant", reason: "untrusted" }, 1],
      ]);
    });

    it("has taken what is taken from anyone, and nothing else", async () => {
      const { ctx, headers } = await found([["baggage", "trusted-guest=eve,trusted-tenant=acme"]], {});

      expect([ctx!.value(guestKey), ctx!.value(tenantKey)]).toEqual(["eve", undefined]);
      expect(headers["baggage"]).toBe("trusted-guest=eve");
    });

    it.each<[string, () => unknown, RegExp]>([
      ["throws", () => explode(), /it threw/],
      ["returns a promise", async () => true, /it returned a promise/],
      ["returns a promise that rejects", async () => explode(), /it returned a promise/],
    ])("is one for which 'verified' %s: a warning says so once, and the request goes on", async (_, verify, why) => {
      const trust = { verified: verify as () => boolean };
      const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
      const all = [await found([["trusted-region", "eu-1"]], trust), await found([["trusted-region", "eu-2"]], trust)];
      const warnings = warned.mock.calls.map(([message]) => String(message));
      warned.mockRestore();

      expect(all.map(({ status, ctx }) => [status, ctx?.value(regionKey)])).toEqual([
        [200, undefined],
        [200, undefined],
      ]);
      expect(warnings).toEqual([expect.stringMatching(/'trust\.verified' must return true or false/)]);
      expect(warnings[0]).toMatch(why);
    });

    it("cannot say that its requests are critical: the header is removed", async () => {
      const { ctx, headers } = await found([["throughline-criticality", "critical"]], {});

      expect(criticality(ctx)).toBe("default");
      expect(Object.keys(headers)).not.toContain("throughline-criticality");
    });

    it("cannot have calls fail by what is taken from anyone", async () => {
      const { status, answer } = await found([["baggage", `trusted-guest=${"/".repeat(64)}`]], {});

      expect([status, answer.endsWith("ok")]).toEqual([200, true]);
    });
  });
});
