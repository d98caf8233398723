import http from "node:http";

import { propagation } from "@opentelemetry/api";
import { W3CBaggagePropagator } from "@opentelemetry/core";
import { type Context, createKey, run, withValue } from "@throughline/context";
import { contextAdapter, contextInterceptor } from "@throughline/fetch";
import { propagateValue, textCodec } from "@throughline/http";
import axios from "axios";
import * as undici8 from "undici";
import * as undici7 from "undici7";
import { afterEach, describe, expect, it } from "vitest";

import { carriedItems, contextWithAll } from "./carried-items.ts";
import { senders } from "./senders.ts";
import { type Arrival, listenForEveryName, lookup } from "./servers.ts";

const { Agent, interceptors, request } = undici8;
const servers = listenForEveryName();
const anyName = { connect: { lookup } };
const httpAgent = new http.Agent({ lookup } as http.AgentOptions);

/** A value that must never leave the process. */
const noteKey = createKey<string>("note");
propagateValue(noteKey, { name: "detour-note", codec: textCodec, maxBytes: 100, to: "never" });

/** The private items in a request; there must be none in a request to a foreign origin. */
function privateItemsIn({ head }: Arrival): string[] {
  return carriedItems
    .filter(({ kind, sign }) => (kind === "values" || kind === "identity") && head.includes(sign))
    .map(({ what }) => what);
}

const ALL = ["a value in baggage", "a value in a header", "the Txn-Token"];

/** Calls in a context that carries all items, and returns the received requests. */
async function arrivals(call: () => Promise<unknown>, ctx: Context = contextWithAll()): Promise<Arrival[]> {
  await run(ctx, call).catch(() => {});
  return servers.arrivals();
}

const origins = (): string[] => [servers.at("http://allowed.test")];
const foreign = { address: "http://foreign.test/", isAllowed: false };
const allowed = { address: "http://allowed.test/", isAllowed: true };

describe.each(senders)("$name", ({ make }) => {
  it("sends no private item if it has no allowed origins", async () => {
    const seen = await arrivals(() => make({})(servers.chain([allowed, foreign])));
    expect(seen.map(privateItemsIn)).toEqual([[], []]);
  });

  it("sends nothing if every option is 'nowhere'", async () => {
    const nowhere = { trace: "nowhere", deadline: "nowhere", criticality: "nowhere" } as const;
    const send = { ...nowhere, values: "nowhere", identity: "nowhere" } as const;
    const seen = await arrivals(() => make({ origins: origins(), send })(servers.chain([allowed, foreign])));
    expect(seen).toHaveLength(2);
    for (const { head } of seen) for (const { sign } of carriedItems) expect(head).not.toContain(sign);
  });
});

describe("undici", () => {
  it("sends no private item to a foreign origin if the path is an absolute URL of an allowed one", async () => {
    const dispatcher = new Agent(anyName).compose(contextInterceptor({ origins: origins() }));
    const [origin, path] = [servers.at("http://evil.test"), servers.at("http://allowed.test/")];
    const [arrival] = await arrivals(() => dispatcher.request({ origin, path, method: "GET" }));
    expect(privateItemsIn(arrival!)).toEqual([]);
  });

  /**
   * The private items that a pool of connections to a foreign origin sends, also when that redirects to an allowed one.
   */
  async function throughPool({ Pool, interceptors }: typeof undici8): Promise<string[][]> {
    const [origin, redirect] = [servers.at("http://foreign.test"), interceptors.redirect({ maxRedirections: 2 })];
    const dispatcher = new Pool(origin, anyName).compose(contextInterceptor({ origins: origins() }), redirect);
    const path = servers.chain([foreign, allowed]).slice(origin.length);
    const seen = await arrivals(() => dispatcher.request({ path, method: "GET" }));
    expect(new Set(seen.map(({ host }) => host))).toEqual(new Set([new URL(origin).host]));
    return seen.map(privateItemsIn);
  }

  it.each([
    ["7", undici7 as unknown as typeof undici8],
    ["8", undici8],
  ])(
    "%s sends no private item over a pool of connections to a foreign origin, whatever it redirects to",
    async (_, undici) => {
      expect(await throughPool(undici)).toEqual([[], []]);
    },
  );

  it("sends no private item to a foreign origin if it follows redirects inside of the context interceptor", async () => {
    const redirect = interceptors.redirect({ maxRedirections: 5 });
    const dispatcher = new Agent(anyName).compose(redirect, contextInterceptor({ origins: origins() }));
    const seen = await arrivals(() => request(servers.chain([allowed, foreign]), { dispatcher }));
    expect(seen.map(privateItemsIn)).toEqual([ALL, []]);
  });
});

describe("axios", () => {
  const adapter = (): ReturnType<typeof axios.getAdapter> =>
    contextAdapter(axios.getAdapter("http"), { origins: origins() });

  it("sends no private item to a foreign baseURL with allowAbsoluteUrls: false, whatever URL is requested", async () => {
    const settings = { adapter: adapter(), httpAgent, proxy: false as const, allowAbsoluteUrls: false };
    const client = axios.create({ ...settings, baseURL: servers.at("http://foreign.test") });
    const [arrival] = await arrivals(() => client.get(servers.at("http://allowed.test/")));
    expect([arrival!.host, privateItemsIn(arrival!)]).toEqual([new URL(servers.at("http://foreign.test")).host, []]);
  });

  it("sends no private item if a request is repeated with its config to a foreign origin", async () => {
    const client = axios.create({ adapter: adapter(), httpAgent, proxy: false });
    const seen = await arrivals(async () => {
      const { config } = await client.get(servers.at("http://allowed.test/"));
      await client.request({ ...config, url: servers.at("http://foreign.test/") });
    });
    expect(seen.map(privateItemsIn)).toEqual([ALL, []]);
  });
});

describe("a propagator of OpenTelemetry's", () => {
  afterEach(() => propagation.disable());

  const fetch = (url: string): Promise<unknown> => senders[0]!.make({ origins: origins() })(url);

  it.each(["uberctx-note", "ot-baggage-note"])(
    "that sends baggage in %s does so only where values are sent",
    async (name) => {
      propagation.setGlobalPropagator({
        inject: (_ctx, carrier, setter) => setter.set(carrier, name, "baggage-of-otel"),
        extract: (ctx) => ctx,
        fields: () => [name],
      });
      const seen = await arrivals(() => fetch(servers.chain([allowed, foreign])));
      expect(seen.map((arrival) => privateItemsIn(arrival).includes("OpenTelemetry's baggage"))).toEqual([true, false]);
    },
  );

  it("does not send propagated values of OpenTelemetry's baggage: only the context's own are sent", async () => {
    propagation.setGlobalPropagator(new W3CBaggagePropagator());
    const entries = { "detour-note": { value: "private" }, "leak-tenant": { value: "another" }, note: { value: "7" } };
    const ctx = propagation.setBaggage(contextWithAll(), propagation.createBaggage(entries)) as Context;
    const [arrival] = await arrivals(
      () => fetch(servers.at("http://allowed.test/")),
      withValue(ctx, noteKey, "secret"),
    );
    expect(arrival!.head).toMatch(/\nbaggage\nleak-tenant=tenant-in-baggage,note=7(\n|$)/);
    expect(arrival!.head).not.toMatch(/private|another|secret/);
  });
});
