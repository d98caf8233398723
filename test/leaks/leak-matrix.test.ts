import { propagation } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { run } from "@throughline/context";
import type { SendOptions } from "@throughline/http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { cargo, type Item, laden } from "./cargo.ts";
import { type Hop, namesOfUsers, ORIGINS, type Place, places } from "./places.ts";
import { type Sender, senders } from "./senders.ts";
import { type Arrival, listenForEveryName } from "./servers.ts";

const KINDS = ["trace", "deadline", "criticality", "values", "identity"] as const;

const SWITCHES: readonly SendOptions[] = [
  {},
  ...KINDS.map((kind) => ({ [kind]: "nowhere" })),
  ...KINDS.slice(0, 3).map((kind) => ({ [kind]: "origins" })),
];

/** The rule: what is somebody's goes to our origins, all else everywhere, and a switch can only narrow that. */
function isSent({ kind }: Item, { isOurs }: Hop, send: SendOptions): boolean {
  const isSomebodys = kind === "values" || kind === "identity";
  const reach = send[kind] ?? (isSomebodys ? "origins" : "everywhere");
  return { everywhere: true, origins: isOurs, nowhere: false }[reach];
}

const servers = listenForEveryName();

/** What of one place's arrivals is not as the rule has it. */
function wrong({ hops }: Place, arrivals: readonly Arrival[], send: SendOptions, hasPropagator: boolean): string[] {
  return hops.flatMap((hop, index) =>
    cargo.flatMap((item) => {
      const isWanted = isSent(item, hop, send) && (hasPropagator || !item.needsPropagator);
      if (arrivals[index]!.head.includes(item.sign) === isWanted) return [];
      return `${JSON.stringify(send)}: ${item.what} ${isWanted ? "is not sent" : "leaks"} to ${hop.address}, hop ${index + 1}`;
    }),
  );
}

/** Of a place, what a sender goes to. */
function reached({ where, hops }: Place, { refusesUsers }: Sender): Place {
  const first = refusesUsers === "redirected" ? 1 : 0;
  const refused = hops.findIndex(({ address }, index) => index >= first && address.includes("@"));
  return { where, hops: refusesUsers === undefined || refused < 0 ? hops : hops.slice(0, refused) };
}

describe.each([
  ["with OpenTelemetry's propagators", true],
  ["without an SDK", false],
])("%s", (_, hasPropagator) => {
  beforeAll(() => {
    if (!hasPropagator) return;
    const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
    propagation.setGlobalPropagator(new CompositePropagator({ propagators }));
  });
  afterAll(() => propagation.disable());

  describe.each(senders)("$name", (sender) => {
    const calls = SWITCHES.map((send) => {
      const origins = (): string[] => ORIGINS.map((origin) => servers.at(origin));
      let call: ReturnType<Sender["make"]> | undefined;
      return { send, call: (url: string) => (call ??= sender.make({ origins: origins(), send }))(url) };
    });

    it.each([...places, ...namesOfUsers])("sends what it should, and no more: $where", async (place) => {
      const expected = reached(place, sender);
      const found: string[] = [];
      for (const { send, call } of calls) {
        const error: unknown = await run(laden(), () => call(servers.chain(place.hops))).catch((e: unknown) => e);
        const arrivals = servers.arrivals();
        const hosts = expected.hops.map(({ address }) => new URL(servers.at(address)).host);
        expect(
          arrivals.map(({ host }) => host),
          String(error),
        ).toEqual(hosts);
        found.push(...wrong(expected, arrivals, send, hasPropagator));
      }
      expect(found).toEqual([]);
    });
  });
});
