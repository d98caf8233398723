import { once } from "node:events";
import http2 from "node:http2";

import { createKey } from "@throughline/context";
import { propagateValue, textCodec } from "@throughline/http";
import { beforeAll, describe, expect, it } from "vitest";

import { dial } from "../support/dial.ts";
import { serveOn } from "../support/serving.ts";
import { type Host, hosts } from "./hosts/index.ts";
import { isTakenFor } from "./spellings.ts";

/** Sends trailers of these names to a server of the host, and gives those that its handler can read. */
function trailersOn(host: Host): (names: readonly string[]) => Promise<Record<string, string>> {
  const { serving } = serveOn(host);
  return async (names) => {
    let found: Record<string, string> = {};
    const url = await serving(async (received) => {
      await received.text();
      // HTTP/2 reports them as an event of their own, behind the end of the body.
      await new Promise(setImmediate);
      found = received.trailers();
      return "ok";
    });
    await (host.protocol === "http/2" ? sendHttp2(url, names) : sendHttp1(url, names));
    return found;
  };
}

/** A Request has no trailers. @hono/node-server gives the request of Node's too; the test's handlers of h3 do not ask for it. */
function kept(host: Host, ...names: string[]): string[] {
  return host.name === "h3" ? [] : names;
}

// What is declared is so for the whole process: these come first.
describe.each(hosts)("$name, where nothing is declared,", (host) => {
  const found = trailersOn(host);

  it.each(["baggage", "BAGGAGE"])("removes the trailer %s, and no other", async (name) => {
    const trailers = await found(["x-checksum", name, "x-kept"]);

    expect(Object.keys(trailers)).toEqual(kept(host, "x-checksum", "x-kept"));
  });
});

describe("where a header and a token are declared", () => {
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
      "removes the trailer %s, and no other",
      async (name) => {
        const trailers = await found(["x-checksum", name, "x-kept"]);

        const names = ["trailing-region", "txn-token", "baggage"];
        expect(Object.keys(trailers).filter((each) => names.some((one) => isTakenFor(one, each)))).toEqual([]);
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
