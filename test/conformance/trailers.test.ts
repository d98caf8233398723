import { once } from "node:events";
import http2 from "node:http2";

import { createKey } from "@throughline/context";
import { propagateValue, textCodec } from "@throughline/http";
import { beforeAll, describe, expect, it } from "vitest";

import { type Host, hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { dial } from "../support/http-client.ts";
import { readsAs } from "./header-variants.ts";

/** Returns a function that sends trailers with these names and returns those that the handler can read. */
function trailersOn(host: Host): (names: readonly string[]) => Promise<Record<string, string>> {
  const { serving } = serveOn(host);
  return async (names) => {
    let found: Record<string, string> = {};
    const url = await serving(async (received) => {
      await received.text();
      // HTTP/2 reports trailers in a separate event after the end of the body.
      await new Promise(setImmediate);
      found = received.trailers();
      return "ok";
    });
    await (host.protocol === "http/2" ? sendHttp2(url, names) : sendHttp1(url, names));
    return found;
  };
}

/**
 * A Request has no trailers. @hono/node-server also passes Node's request; the handlers of h3 in these tests do not use
 * it.
 */
function kept(host: Host, ...names: string[]): string[] {
  return host.name === "h3" ? [] : names;
}

// Propagated values are registered for the whole process, so these tests come first.
describe.each(hosts)("$name, without propagated values,", (host) => {
  const found = trailersOn(host);

  it.each(["baggage", "BAGGAGE"])("removes the trailer %s and no other", async (name) => {
    const trailers = await found(["x-checksum", name, "x-kept"]);

    expect(Object.keys(trailers)).toEqual(kept(host, "x-checksum", "x-kept"));
  });
});

describe("with a propagated header and a token", () => {
  beforeAll(async () => {
    propagateValue(createKey<string>("region"), {
      name: "trailing-region",
      codec: textCodec,
      maxBytes: 64,
      as: "header",
    });
    await import("@throughline/identity");
  });

  describe.each(hosts)("$name", (host) => {
    const found = trailersOn(host);

    it.each(["trailing-region", "Trailing-Region", "trailing_region", "txn-token", "TXN.TOKEN", "baggage"])(
      "removes the trailer %s and no other",
      async (name) => {
        const trailers = await found(["x-checksum", name, "x-kept"]);

        const names = ["trailing-region", "txn-token", "baggage"];
        expect(Object.keys(trailers).filter((each) => names.some((one) => readsAs(one, each)))).toEqual([]);
        expect(Object.keys(trailers)).toEqual(kept(host, "x-checksum", "x-kept"));
      },
    );
  });
});

async function sendHttp1(url: string, names: readonly string[]): Promise<void> {
  const { pathname, host } = new URL(url);
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n`;
  const trailers = names.map((name) => `${name}: evil\r\n`).join("");
  const socket = dial(url).resume();
  socket.write(`${head}4\r\nbody\r\n0\r\n${trailers}\r\n`);
  await once(socket, "close");
}

async function sendHttp2(url: string, names: readonly string[]): Promise<void> {
  const { origin, pathname } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false });
  const stream = session.request({ ":path": pathname, ":method": "POST" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(Object.fromEntries(names.map((name) => [name, "evil"]))));
  stream.resume().end("body");
  await once(stream, "close");
  session.close();
}
