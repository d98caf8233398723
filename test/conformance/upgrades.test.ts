import type http from "node:http";
import { text } from "node:stream/consumers";

import { createKey } from "@throughline/context";
import { propagateValue, requestContext, textCodec, type TrustOptions } from "@throughline/http";
import { beforeAll, describe, expect, it } from "vitest";

import { hosts, serve } from "../hosts/index.ts";
import { headersOf } from "../hosts/received.ts";
import { dial } from "../support/http-client.ts";
import { cleanUpAfterEach, serve as serveUntilEnd } from "../support/loopback.ts";
import { readsAs } from "./header-variants.ts";

// It registers the header of Txn-Tokens.
beforeAll(() => import("@throughline/identity"));

propagateValue(createKey<string>("region"), { name: "upgrade-region", codec: textCodec, maxBytes: 64, as: "header" });

const FORGED =
  "upgrade-region: evil\r\nUpgrade_Region: evil\r\nTxn-Token: evil\r\nbaggage: a=1\r\nx-kept: kept\r\n\r\n";
const REQUESTS = {
  upgrade: `GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n${FORGED}`,
  connect: `CONNECT next.example:80 HTTP/1.1\r\nhost: x\r\n${FORGED}`,
} as const;

/** The names of the headers that a listener of this event can read. */
async function namesRead(server: http.Server, url: string, event: keyof typeof REQUESTS): Promise<string[]> {
  const read = Promise.withResolvers<string[]>();
  server.once(event, (req, socket) => {
    read.resolve(Object.keys(headersOf(req)));
    socket.end();
  });
  const socket = dial(url);
  socket.write(REQUESTS[event]);
  await text(socket);
  return read.promise;
}

const forged = (names: readonly string[]): string[] =>
  names.filter((name) => ["upgrade-region", "txn-token", "baggage"].some((one) => readsAs(one, name)));

describe.each(hosts.filter(({ protocol }) => protocol === "http/1.1"))("beside $name", (host) => {
  it.each(["upgrade", "connect"] as const)(
    "a listener of the event %s cannot read a forged header, even on the first request",
    async (event) => {
      await using served = await serve(host, () => "ok");
      const names = await namesRead(served.server as http.Server, served.url, event);

      expect(forged(names)).toEqual([]);
      expect(names).toContain("x-kept");
    },
  );
});

describe("several middlewares", () => {
  cleanUpAfterEach();
  const trust: TrustOptions = { addresses: ["127.0.0.1"] };

  // The middlewares of the tests above trust no peer.
  it("with one that trusts a peer, it decides which headers an upgrade request keeps; with two, neither does", async () => {
    const { server, url } = await serveUntilEnd(requestContext((_req, res) => void res.end()));
    requestContext(() => {}, { trust });
    const kept = await namesRead(server, url, "upgrade");
    requestContext(() => {}, { trust: { unixSocket: true } });

    // A token is removed until it is verified, also from a trusted peer.
    expect(forged(kept)).toEqual(["upgrade-region", "baggage"]);
    expect(forged(await namesRead(server, url, "upgrade"))).toEqual([]);
  });
});
