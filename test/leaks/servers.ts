import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo, type LookupFunction } from "node:net";

import { generate } from "selfsigned";
import { afterAll, beforeAll } from "vitest";

import type { Hop } from "./destinations.ts";

/** A received request. */
export interface Arrival {
  readonly host: string;
  /** The complete head as one lower-case text. */
  readonly head: string;
}

export interface Servers {
  /** Adds the port to an address. */
  at(address: string): string;
  /** The URL of the first hop, which redirects to the next. */
  chain(hops: readonly Hop[]): string;
  /** The requests since the last call. */
  arrivals(): Arrival[];
}

/** Resolves every name to loopback. */
export const lookup: LookupFunction = (_name, { all }, callback) => {
  if (all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

/** Serves http and https on one port, so that two origins can differ in their scheme only. */
function onOnePort(plain: http.Server, secure: https.Server): net.Server {
  return net.createServer((socket) => {
    socket.once("data", (first: Buffer) => {
      socket.pause().unshift(first);
      (first[0] === TLS_HANDSHAKE ? secure : plain).emit("connection", socket);
      process.nextTick(() => socket.resume());
    });
    socket.on("error", () => {});
  });
}

/** The type of the first TLS record (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 22;

/** Starts servers for all host names, for the tests of a file: http and https on two ports. They redirect to `next`. */
export function listenForEveryName(): Servers {
  const seen: Arrival[] = [];
  const ports = { here: 0, other: 0 };
  const stopping: (() => void)[] = [];
  const listener: http.RequestListener = (req, res) => {
    seen.push({ host: req.headers.host!, head: req.rawHeaders.join("\n").toLowerCase() });
    const next = new URL(`http://x${req.url!}`).searchParams.get("next");
    if (next === null) res.end("arrived");
    else res.writeHead(307, { location: next }).end();
  };

  beforeAll(async () => {
    const { private: key, cert } = await generate([{ name: "commonName", value: "every.test" }]);
    for (const name of ["here", "other"] as const) {
      const [plain, secure] = [http.createServer(listener), https.createServer({ key, cert }, listener)];
      const both = onOnePort(plain, secure).listen(0, "127.0.0.1");
      await once(both, "listening");
      ports[name] = (both.address() as AddressInfo).port;
      stopping.push(() => {
        both.close();
        plain.closeAllConnections();
        secure.closeAllConnections();
      });
    }
  });
  afterAll(() => {
    for (const stop of stopping) stop();
  });

  function at(address: string): string {
    const [, origin, isOther, path] = /^(https?:\/\/[^/:]+)(:other)?(.*)$/.exec(address)!;
    return `${origin}:${isOther ? ports.other : ports.here}${path!.replace(":here", `:${ports.here}`)}`;
  }
  function chain([first, ...rest]: readonly Hop[]): string {
    return `${at(first!.address)}${rest.length === 0 ? "" : `?next=${encodeURIComponent(chain(rest))}`}`;
  }
  return { at, chain, arrivals: () => seen.splice(0) };
}
