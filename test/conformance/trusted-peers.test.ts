import { propagation } from "@opentelemetry/api";
import { background, type Context, createKey, current, type Key, run, withValue } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { criticality, propagateValue, jsonCodec, textCodec, type TrustOptions } from "@throughline/http";
import { describe, expect, it, vi } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { type HeaderLines, sendRaw } from "../support/http-client.ts";
import { measureDuringEach } from "../support/measurements.ts";
import { registerPropagators } from "../support/spans.ts";
import { repeatedHeaders, readsAs } from "./header-variants.ts";

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
  const series = measureDuringEach();

  interface Found {
    status: number;
    answer: string;
    ctx: Context | undefined;
    headers: Record<string, string>;
    /** The headers of the handler's call to the next service. */
    sent: Headers;
  }

  /** Sends these lines, and returns what the handler finds and sends on. */
  async function found(lines: HeaderLines, trust: TrustOptions = LOOPBACK): Promise<Found> {
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
    return { ...(await sendRaw(host.protocol, url, lines)), ...seen };
  }

  const refused = async (): Promise<unknown> =>
    (await series("throughline.values.refused")).map(({ attributes, value }) => [attributes, value]);

  describe("a trusted peer", () => {
    it.each<[string, TrustOptions, HeaderLines]>([
      ["by its address", LOOPBACK, []],
      ["by the range of its address", { addresses: ["::1", "127.0.0.0/8"] }, []],
      ["by `verified`", SIGNED, [["x-signature", "good"]]],
    ])("%s: its values are accepted and sent on", async (_, trust, lines) => {
      const own: HeaderLines = [
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

    it("its values are removed from OpenTelemetry's baggage, which instrumentations send to every server", async () => {
      registerPropagators();
      const { ctx } = await found([["baggage", "note=1,trusted-tenant=acme"]]);
      propagation.disable();

      expect(ctx!.value(tenantKey)).toBe("acme");
      const entries = propagation.getBaggage(ctx!)!.getAllEntries();
      expect(entries.map(([name, { value }]) => [name, value])).toEqual([["note", "1"]]);
    });

    it.each(["Trusted_Region", "trusted.region"])("a header written as %s is removed", async (name) => {
      const { ctx, headers } = await found([[name, "eu-1"]]);

      expect(ctx!.value(regionKey)).toBeUndefined();
      expect(Object.keys(headers).filter((each) => readsAs("trusted-region", each))).toEqual([]);
      expect(await refused()).toEqual([[{ name: "trusted-region", reason: "untrusted" }, 1]]);
    });

    it.each(repeatedHeaders("trusted-region").filter(({ isRaw }) => host.protocol === "http/1.1" || isRaw !== true))(
      "a repeated header is refused, because one may be forged: $how",
      async ({ lines }) => {
        const { status, answer, ctx } = await found(lines);

        expect([status, ctx]).toEqual([400, undefined]);
        expect(answer).toMatch("application/problem+json");
        expect(answer).toMatch("Cannot read the header trusted-region: it must be sent once");
      },
    );

    it.each<[string, string, HeaderLines]>([
      ["a header that is too long", "trusted-region", [["trusted-region", "x".repeat(65)]]],
      ["a header of 9 KB", "trusted-region", [["trusted-region", "x".repeat(9216)]]],
      ["an entry that is too long", "trusted-tenant", [["baggage", `trusted-tenant=${"x".repeat(65)}`]]],
      [
        "an entry that percent-encoding makes too long",
        "trusted-tenant",
        [["baggage", `trusted-tenant=${"%41".repeat(22)}`]],
      ],
      ["an entry with percent-encoding that is not UTF-8", "trusted-tenant", [["baggage", "trusted-tenant=%ff%c3%28"]]],
      ["an entry with an incomplete percent-encoding", "trusted-tenant", [["baggage", "trusted-tenant=a%"]]],
      ["a header that its codec cannot read", "trusted-limits", [["trusted-limits", "{least"]]],
      ["a header whose value its codec rejects", "trusted-limits", [["trusted-limits", "[7]"]]],
    ])("%s is dropped and counted, and the request continues", async (_, name, lines) => {
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
      ["with characters that grow when they are sent on", `trusted-tenant=${"/".repeat(64)}`],
      ["without a value", "trusted-tenant="],
    ])("an entry %s does not make calls fail", async (_, baggage) => {
      expect((await found([["baggage", baggage]])).status).toBe(200);
    });

    it.each(["", "caf\u00E9"])("a header with the value %j does not make calls fail", async (value) => {
      if (host.protocol === "http/2" && value !== "") return;
      expect((await found([["trusted-region", value]])).status).toBe(200);
    });

    it("every value that can be bound is received", async () => {
      const limits = { least: 1, most: 2 };
      let ctx: Context;
      try {
        ctx = withValue(background, limitsKey, limits);
      } catch {
        return; // `withValue` rejects the value.
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

  describe("an untrusted peer", () => {
    it.each<[string, TrustOptions]>([
      ["by its address", { addresses: ["127.0.0.2", "::1/128"] }],
      ["by `verified`", SIGNED],
      ["at all", {}],
    ])("%s: its values are removed and counted", async (_, trust) => {
      const lines: HeaderLines = [
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

    it("only values with accept: 'anyone' are accepted", async () => {
      const { ctx, headers } = await found([["baggage", "trusted-guest=eve,trusted-tenant=acme"]], {});

      expect([ctx!.value(guestKey), ctx!.value(tenantKey)]).toEqual(["eve", undefined]);
      expect(headers["baggage"]).toBe("trusted-guest=eve");
    });

    it.each<[string, () => unknown, RegExp]>([
      ["throws", () => explode(), /it threw/],
      ["returns a promise", async () => true, /it returned a promise/],
      ["returns a promise that rejects", async () => explode(), /it returned a promise/],
    ])("if 'verified' %s, one warning is emitted and the request continues", async (_, verify, why) => {
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

    it("its criticality is ignored and the header is removed", async () => {
      const { ctx, headers } = await found([["throughline-criticality", "critical"]], {});

      expect(criticality(ctx)).toBe("default");
      expect(Object.keys(headers)).not.toContain("throughline-criticality");
    });

    it("values with accept: 'anyone' do not make calls fail", async () => {
      const { status, answer } = await found([["baggage", `trusted-guest=${"/".repeat(64)}`]], {});

      expect([status, answer.endsWith("ok")]).toEqual([200, true]);
    });
  });
});
