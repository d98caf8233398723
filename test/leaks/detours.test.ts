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

import { cargo, laden } from "./cargo.ts";
import { senders } from "./senders.ts";
import { type Arrival, listenForEveryName, lookup } from "./servers.ts";

/** Ways to an address that are not those of a plain call. */
const { Agent, interceptors, request } = undici8;
const servers = listenForEveryName();
const anyName = { connect: { lookup } };
const httpAgent = new http.Agent({ lookup } as http.AgentOptions);

/** Of this process alone. */
const noteKey = createKey<string>("note");
propagateValue(noteKey, { name: "detour-note", codec: textCodec, maxBytes: 100, to: "never" });

/** What of somebody's shows in a request: nothing, for a stranger. */
function takenTo({ head }: Arrival): string[] {
  return cargo
    .filter(({ kind, sign }) => (kind === "values" || kind === "identity") && head.includes(sign))
    .map(({ what }) => what);
}

const ALL = ["a value in baggage", "a value in a header", "the Txn-Token"];

/** Calls in a context that carries everything, and gives what has arrived where. */
async function arrivals(call: () => Promise<unknown>, ctx: Context = laden()): Promise<Arrival[]> {
  await run(ctx, call).catch(() => {});
  return servers.arrivals();
}

const origins = (): string[] => [servers.at("http://allowed.test")];
const strange = { address: "http://stranger.test/", isOurs: false };
const ours = { address: "http://allowed.test/", isOurs: true };

describe.each(senders)("$name", ({ make }) => {
  it("takes nothing of anybody's along where no origins are its own", async () => {
    const seen = await arrivals(() => make({})(servers.chain([ours, strange])));
    expect(seen.map(takenTo)).toEqual([[], []]);
  });

  it("takes nothing along where all that it carries is for nowhere", async () => {
    const nowhere = { trace: "nowhere", deadline: "nowhere", criticality: "nowhere" } as const;
    const send = { ...nowhere, values: "nowhere", identity: "nowhere" } as const;
    const seen = await arrivals(() => make({ origins: origins(), send })(servers.chain([ours, strange])));
    expect(seen).toHaveLength(2);
    for (const { head } of seen) for (const { sign } of cargo) expect(head).not.toContain(sign);
  });
});

describe("undici", () => {
  it("asked for a whole address as a path, is no less at a stranger's", async () => {
    const dispatcher = new Agent(anyName).compose(contextInterceptor({ origins: origins() }));
    const [origin, path] = [servers.at("http://evil.test"), servers.at("http://allowed.test/")];
    const [arrival] = await arrivals(() => dispatcher.request({ origin, path, method: "GET" }));
    expect(takenTo(arrival!)).toEqual([]);
  });

  /** What a stranger, to whom all connections of a pool go, is sent of a call that it redirects to an allowed origin. */
  async function throughPool({ Pool, interceptors }: typeof undici8): Promise<string[][]> {
    const [origin, redirect] = [servers.at("http://stranger.test"), interceptors.redirect({ maxRedirections: 2 })];
    const dispatcher = new Pool(origin, anyName).compose(contextInterceptor({ origins: origins() }), redirect);
    const path = servers.chain([strange, ours]).slice(origin.length);
    const seen = await arrivals(() => dispatcher.request({ path, method: "GET" }));
    expect(new Set(seen.map(({ host }) => host))).toEqual(new Set([new URL(origin).host]));
    return seen.map(takenTo);
  }

  it.each([
    ["7", undici7 as unknown as typeof undici8],
    ["8", undici8],
  ])(
    "%s with a pool of connections to a stranger takes nothing there, whatever that redirects to",
    async (_, undici) => {
      expect(await throughPool(undici)).toEqual([[], []]);
    },
  );

  it("that redirects further in than the context is seen takes nothing of it to a stranger all the same", async () => {
    const redirect = interceptors.redirect({ maxRedirections: 5 });
    const dispatcher = new Agent(anyName).compose(redirect, contextInterceptor({ origins: origins() }));
    const seen = await arrivals(() => request(servers.chain([ours, strange]), { dispatcher }));
    expect(seen.map(takenTo)).toEqual([ALL, []]);
  });
});

describe("axios", () => {
  const adapter = (): ReturnType<typeof axios.getAdapter> =>
    contextAdapter(axios.getAdapter("http"), { origins: origins() });

  it("that takes no whole address from its callers is at its base, whatever the address is", async () => {
    const settings = { adapter: adapter(), httpAgent, proxy: false as const, allowAbsoluteUrls: false };
    const client = axios.create({ ...settings, baseURL: servers.at("http://stranger.test") });
    const [arrival] = await arrivals(() => client.get(servers.at("http://allowed.test/")));
    expect([arrival!.host, takenTo(arrival!)]).toEqual([new URL(servers.at("http://stranger.test")).host, []]);
  });

  it("whose request is sent again to another host, as when the first has failed, takes nothing there", async () => {
    const client = axios.create({ adapter: adapter(), httpAgent, proxy: false });
    const seen = await arrivals(async () => {
      const { config } = await client.get(servers.at("http://allowed.test/"));
      await client.request({ ...config, url: servers.at("http://stranger.test/") });
    });
    expect(seen.map(takenTo)).toEqual([ALL, []]);
  });
});

describe("a propagator of OpenTelemetry's", () => {
  afterEach(() => propagation.disable());

  const fetch = (url: string): Promise<unknown> => senders[0]!.make({ origins: origins() })(url);

  it.each(["uberctx-note", "ot-baggage-note"])(
    "that has baggage in %s sends it where values go alone",
    async (name) => {
      propagation.setGlobalPropagator({
        inject: (_ctx, carrier, setter) => setter.set(carrier, name, "baggage-of-otel"),
        extract: (ctx) => ctx,
        fields: () => [name],
      });
      const seen = await arrivals(() => fetch(servers.chain([ours, strange])));
      expect(seen.map((arrival) => takenTo(arrival).includes("OpenTelemetry's baggage"))).toEqual([true, false]);
    },
  );

  it("says nothing of what is declared: of that the context has the word, and it may be for nowhere", async () => {
    propagation.setGlobalPropagator(new W3CBaggagePropagator());
    const entries = { "detour-note": { value: "private" }, "leak-tenant": { value: "another" }, note: { value: "7" } };
    const ctx = propagation.setBaggage(laden(), propagation.createBaggage(entries)) as Context;
    const [arrival] = await arrivals(
      () => fetch(servers.at("http://allowed.test/")),
      withValue(ctx, noteKey, "secret"),
    );
    expect(arrival!.head).toMatch(/\nbaggage\nleak-tenant=tenant-in-baggage,note=7(\n|$)/);
    expect(arrival!.head).not.toMatch(/private|another|secret/);
  });
});
