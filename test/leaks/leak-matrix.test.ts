import { propagation } from "@opentelemetry/api";
import { run } from "@throughline/context";
import type { SendOptions } from "@throughline/http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { registerPropagators } from "../support/spans.ts";
import { carriedItems, contextWithAll, type Item } from "./carried-items.ts";
import { type Destination, destinations, type Hop, ORIGINS, userInfoDestinations } from "./destinations.ts";
import { type Sender, senders } from "./senders.ts";
import { type Arrival, listenForEveryName } from "./servers.ts";

const KINDS = ["trace", "deadline", "criticality", "values", "identity"] as const;

const SWITCHES: readonly SendOptions[] = [
  {},
  ...KINDS.map((kind) => ({ [kind]: "nowhere" })),
  ...KINDS.slice(0, 3).map((kind) => ({ [kind]: "origins" })),
];

/** The rule: values and identity go to allowed origins, everything else to all; the options can only narrow that. */
function isSent({ kind }: Item, { isAllowed }: Hop, send: SendOptions): boolean {
  const isPrivate = kind === "values" || kind === "identity";
  const reach = send[kind] ?? (isPrivate ? "origins" : "everywhere");
  return { everywhere: true, origins: isAllowed, nowhere: false }[reach];
}

const servers = listenForEveryName();

/** The violations of the rule in the requests of one destination. */
function violations(
  { hops }: Destination,
  arrivals: readonly Arrival[],
  send: SendOptions,
  hasPropagator: boolean,
): string[] {
  return hops.flatMap((hop, index) =>
    carriedItems.flatMap((item) => {
      const isWanted = isSent(item, hop, send) && (hasPropagator || !item.needsPropagator);
      if (arrivals[index]!.head.includes(item.sign) === isWanted) return [];
      return `${JSON.stringify(send)}: ${item.what} ${isWanted ? "is not sent" : "leaks"} to ${hop.address}, hop ${index + 1}`;
    }),
  );
}

/** The hops that a sender requests. */
function requestedHops({ where, hops }: Destination, { rejectsUserInfo }: Sender): Destination {
  const first = rejectsUserInfo === "redirected" ? 1 : 0;
  const rejected = hops.findIndex(({ address }, index) => index >= first && address.includes("@"));
  return { where, hops: rejectsUserInfo === undefined || rejected < 0 ? hops : hops.slice(0, rejected) };
}

describe.each([
  ["with OpenTelemetry's propagators", true],
  ["without an SDK", false],
])("%s", (_, hasPropagator) => {
  beforeAll(() => {
    if (hasPropagator) registerPropagators();
  });
  afterAll(() => propagation.disable());

  describe.each(senders)("$name", (sender) => {
    const calls = SWITCHES.map((send) => {
      const origins = (): string[] => ORIGINS.map((origin) => servers.at(origin));
      let call: ReturnType<Sender["make"]> | undefined;
      return { send, call: (url: string) => (call ??= sender.make({ origins: origins(), send }))(url) };
    });

    it.each([...destinations, ...userInfoDestinations])(
      "sends exactly the permitted items: $where",
      async (destination) => {
        const expected = requestedHops(destination, sender);
        const found: string[] = [];
        for (const { send, call } of calls) {
          const error: unknown = await run(contextWithAll(), () => call(servers.chain(destination.hops))).catch(
            (e: unknown) => e,
          );
          const arrivals = servers.arrivals();
          const hosts = expected.hops.map(({ address }) => new URL(servers.at(address)).host);
          expect(
            arrivals.map(({ host }) => host),
            String(error),
          ).toEqual(hosts);
          found.push(...violations(expected, arrivals, send, hasPropagator));
        }
        expect(found).toEqual([]);
      },
    );
  });
});
