import { propagation } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { type Context, createKey, current } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { propagateValue, type ServerOptions, textCodec } from "@throughline/http";
import { principal } from "@throughline/identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { serveOn } from "../support/serving.ts";
import { sendStrange } from "../support/strange-client.ts";
import { hosts } from "./hosts/index.ts";
import { type Attempt, baggageWith, doubled, isTakenFor, namesIn, spellingsOf } from "./spellings.ts";

const regionKey = createKey<string>("region");
const tenantKey = createKey<string>("tenant");
propagateValue(regionKey, { name: "spoof-region", codec: textCodec, maxBytes: 8192, as: "header" });
propagateValue(tenantKey, { name: "spoof-tenant", codec: textCodec, maxBytes: 8192 });

const TOKEN = "txn-token";

/** What a handler finds in the context and in the request. */
interface Found {
  readonly ctx: Context;
  readonly headers: Record<string, string>;
}

describe.each(hosts)("$name, of a client that is not trusted,", (host) => {
  const { serving } = serveOn(host);
  const isWritable = ({ isRaw }: Attempt): boolean => host.protocol === "http/1.1" || isRaw !== true;

  /** Sends it beside a header that nobody declared, and gives what the handler finds, if it is called. */
  async function found(
    { lines }: Attempt,
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
    const { status, answer } = await sendStrange(host.protocol, url, [...lines, ["x-kept", "kept"]]);
    expect(status, answer).toBe(seen === undefined ? 400 : 200);
    expect(seen?.headers["x-kept"] ?? "kept").toBe("kept");
    return { ctx: current(), headers: {}, ...seen, answer };
  }

  describe.each(["spoof-region", TOKEN])("the header %s", (name) => {
    it.each(spellingsOf(name).filter(isWritable))("is taken from nobody: $how", async (attempt) => {
      const { ctx, headers } = await found(attempt);

      expect([ctx.value(regionKey), principal(ctx)]).toEqual([undefined, undefined]);
      expect(Object.keys(headers).filter((each) => isTakenFor(name, each))).toEqual([]);
    });
  });

  it.each(doubled("spoof-region").filter(isWritable))("a header is taken away: $how", async (attempt) => {
    const { ctx, headers, answer } = await found(attempt);

    expect([answer.endsWith("ok"), ctx.value(regionKey)]).toEqual([true, undefined]);
    expect(Object.keys(headers).filter((each) => isTakenFor("spoof-region", each))).toEqual([]);
  });

  it.each(doubled(TOKEN).filter(isWritable))(
    "a token is refused, as one may be somebody else's: $how",
    async (attempt) => {
      const { answer } = await found(attempt);

      expect(answer).toMatch("application/problem+json");
      expect(answer).toMatch("Cannot read the header txn-token: it must be sent once");
    },
  );

  it.each(baggageWith("spoof-tenant"))("an entry of baggage is taken from nobody: $how", async (attempt) => {
    const { ctx, headers } = await found(attempt);
    const names = Object.entries(headers).flatMap(([name, value]) =>
      isTakenFor("baggage", name) ? namesIn(value) : [],
    );

    expect(ctx.value(tenantKey)).toBeUndefined();
    expect(names.filter((name) => isTakenFor("spoof-tenant", name))).toEqual([]);
  });

  it("other entries of baggage are removed too: sent on, they would be ours", async () => {
    const { headers } = await found({ how: "", lines: [["baggage", "a=1;p=2, spoof-tenant=evil, b=%20"]] });

    expect(Object.keys(headers)).not.toContain("baggage");
  });

  it("other entries of baggage stay, with their properties, where baggage of any peer is accepted", async () => {
    const attempt = { how: "", lines: [["baggage", "a=1;p=2, spoof-tenant=evil, b=%20"]] } as const;
    const { ctx, headers } = await found(attempt, undefined, { acceptBaggage: "any" });

    expect([ctx.value(tenantKey), headers["baggage"]]).toEqual([undefined, "a=1;p=2,b=%20"]);
  });

  it("baggage with nothing else in it is removed whole, also where that of any peer is accepted", async () => {
    const attempt = { how: "", lines: [["baggage", "spoof-tenant=evil"]] } as const;
    const { headers } = await found(attempt, undefined, { acceptBaggage: "any" });

    expect(Object.keys(headers)).not.toContain("baggage");
  });

  describe("with OpenTelemetry's propagators", () => {
    beforeAll(() => {
      const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
      propagation.setGlobalPropagator(new CompositePropagator({ propagators }));
    });
    afterAll(() => propagation.disable());

    it.each(baggageWith("spoof-tenant"))(
      "an entry is not in their baggage either, nor sent on: $how",
      async (attempt) => {
        let sent: string | null = null;
        const fetch = createFetch({
          origins: ["http://next.example"],
          fetch: async (_input, init) => ((sent = new Headers(init?.headers).get("baggage")), new Response()),
        });
        const { ctx } = await found(attempt, () => fetch("http://next.example/"));
        const names = (propagation.getBaggage(ctx)?.getAllEntries() ?? []).map(([name]) => name);

        expect([...names, ...namesIn(sent ?? "")].filter((name) => isTakenFor("spoof-tenant", name))).toEqual([]);
      },
    );

    it.each([
      ["not in it, nor sent on", "trusted", undefined],
      ["in it, and sent on, where baggage of any peer is accepted", "any", "kept"],
    ] as const)("other entries are %s", async (_what, acceptBaggage, note) => {
      let sent: string | null = null;
      const fetch = createFetch({
        origins: ["http://next.example"],
        fetch: async (_input, init) => ((sent = new Headers(init?.headers).get("baggage")), new Response()),
      });
      const lines: Attempt["lines"] = [["baggage", "note=kept,spoof-tenant=evil"]];
      const { ctx } = await found({ how: "", lines }, () => fetch("http://next.example/"), { acceptBaggage });

      expect(propagation.getBaggage(ctx)?.getEntry("note")?.value).toBe(note);
      expect(namesIn(sent ?? "").includes("note")).toBe(note !== undefined);
    });
  });
});
