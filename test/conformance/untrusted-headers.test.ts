import { propagation } from "@opentelemetry/api";
import { type Context, createKey, current } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { propagateValue, type ServerOptions, textCodec } from "@throughline/http";
import { principal } from "@throughline/identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { type HeaderLines, sendRaw } from "../support/http-client.ts";
import { registerPropagators } from "../support/spans.ts";
import {
  type HeaderVariant,
  baggageVariants,
  repeatedHeaders,
  readsAs,
  baggageNames,
  headerVariants,
} from "./header-variants.ts";

const regionKey = createKey<string>("region");
const tenantKey = createKey<string>("tenant");
propagateValue(regionKey, { name: "spoof-region", codec: textCodec, maxBytes: 8192, as: "header" });
propagateValue(tenantKey, { name: "spoof-tenant", codec: textCodec, maxBytes: 8192 });

const TOKEN = "txn-token";

/** The context and the headers of a handler. */
interface Found {
  readonly ctx: Context;
  readonly headers: Record<string, string>;
}

describe.each(hosts)("$name, from an untrusted client,", (host) => {
  const { serving } = serveOn(host);
  const isWritable = ({ isRaw }: HeaderVariant): boolean => host.protocol === "http/1.1" || isRaw !== true;

  /** Sends a variant with an unrelated header, and returns what the handler finds if it runs. */
  async function found(
    { lines }: HeaderVariant,
    within: () => unknown = () => {},
    options: Pick<ServerOptions, "acceptBaggage"> = {},
  ): Promise<Found & { answer: string }> {
    let seen: Found | undefined;
    const trust = { addresses: ["10.0.0.0/8"], verified: () => false, unixSocket: true, subjects: ["CN=gateway"] };
    const url = await serving(
      async (received) => {
        seen = { ctx: current(), headers: received.headers() };
        await within();
        return "ok";
      },
      { trust, ...options },
    );
    const { status, answer } = await sendRaw(host.protocol, url, [...lines, ["x-kept", "kept"]]);
    expect(status, answer).toBe(seen === undefined ? 400 : 200);
    expect(seen?.headers["x-kept"] ?? "kept").toBe("kept");
    return { ctx: current(), headers: {}, ...seen, answer };
  }

  describe.each(["spoof-region", TOKEN])("the header %s", (name) => {
    it.each(headerVariants(name).filter(isWritable))("is not accepted: $how", async (variant) => {
      const { ctx, headers } = await found(variant);

      expect([ctx.value(regionKey), principal(ctx)]).toEqual([undefined, undefined]);
      expect(Object.keys(headers).filter((each) => readsAs(name, each))).toEqual([]);
    });
  });

  it.each(repeatedHeaders("spoof-region").filter(isWritable))("removes a repeated header: $how", async (variant) => {
    const { ctx, headers, answer } = await found(variant);

    expect([answer.endsWith("ok"), ctx.value(regionKey)]).toEqual([true, undefined]);
    expect(Object.keys(headers).filter((each) => readsAs("spoof-region", each))).toEqual([]);
  });

  it.each(repeatedHeaders(TOKEN).filter(isWritable))(
    "refuses a repeated token, because one may be forged: $how",
    async (variant) => {
      const { answer } = await found(variant);

      expect(answer).toMatch("application/problem+json");
      expect(answer).toMatch("Cannot read the header txn-token: it must be sent once");
    },
  );

  it.each(baggageVariants("spoof-tenant"))("does not accept an entry of baggage: $how", async (variant) => {
    const { ctx, headers } = await found(variant);
    const names = Object.entries(headers).flatMap(([name, value]) =>
      readsAs("baggage", name) ? baggageNames(value) : [],
    );

    expect(ctx.value(tenantKey)).toBeUndefined();
    expect(names.filter((name) => readsAs("spoof-tenant", name))).toEqual([]);
  });

  it("removes other entries of baggage too, because they would be sent on as the service's own", async () => {
    const { headers } = await found({ how: "", lines: [["baggage", "a=1;p=2, spoof-tenant=evil, b=%20"]] });

    expect(Object.keys(headers)).not.toContain("baggage");
  });

  it("keeps other entries of baggage with their properties if acceptBaggage is 'any'", async () => {
    const variant = { how: "", lines: [["baggage", "a=1;p=2, spoof-tenant=evil, b=%20"]] } as const;
    const { ctx, headers } = await found(variant, undefined, { acceptBaggage: "any" });

    expect([ctx.value(tenantKey), headers["baggage"]]).toEqual([undefined, "a=1;p=2,b=%20"]);
  });

  it("removes the header if no other entry is left, also if acceptBaggage is 'any'", async () => {
    const variant = { how: "", lines: [["baggage", "spoof-tenant=evil"]] } as const;
    const { headers } = await found(variant, undefined, { acceptBaggage: "any" });

    expect(Object.keys(headers)).not.toContain("baggage");
  });

  describe("with OpenTelemetry's propagators", () => {
    beforeAll(registerPropagators);
    afterAll(() => propagation.disable());

    it.each(baggageVariants("spoof-tenant"))(
      "an entry is neither in their baggage nor sent on: $how",
      async (variant) => {
        let sent: string | null = null;
        const fetch = createFetch({
          origins: ["http://next.example"],
          fetch: async (_input, init) => ((sent = new Headers(init?.headers).get("baggage")), new Response()),
        });
        const { ctx } = await found(variant, () => fetch("http://next.example/"));
        const names = (propagation.getBaggage(ctx)?.getAllEntries() ?? []).map(([name]) => name);

        expect([...names, ...baggageNames(sent ?? "")].filter((name) => readsAs("spoof-tenant", name))).toEqual([]);
      },
    );

    it.each([
      ["neither in it nor sent on", "trusted", undefined],
      ["in it and sent on if acceptBaggage is 'any'", "any", "kept"],
    ] as const)("other entries are %s", async (_what, acceptBaggage, note) => {
      let sent: string | null = null;
      const fetch = createFetch({
        origins: ["http://next.example"],
        fetch: async (_input, init) => ((sent = new Headers(init?.headers).get("baggage")), new Response()),
      });
      const lines: HeaderLines = [["baggage", "note=kept,spoof-tenant=evil"]];
      const { ctx } = await found({ how: "", lines }, () => fetch("http://next.example/"), { acceptBaggage });

      expect(propagation.getBaggage(ctx)?.getEntry("note")?.value).toBe(note);
      expect(baggageNames(sent ?? "").includes("note")).toBe(note !== undefined);
    });
  });
});
