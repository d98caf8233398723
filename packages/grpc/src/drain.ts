import { setTimeout as delay } from "node:timers/promises";

import { Server } from "@grpc/grpc-js";
import { describe, milliseconds, refuseUnknown } from "@throughline/context";
import { type DrainOptions, type Exchange, haveTheLastWord, LAST_WORD, trafficOf } from "@throughline/http";

import { serversOf } from "./internals.ts";

const ACTION = "drain a server";

const draining = new WeakMap<Server, Promise<void>>();

/**
 * Ends a server without losing a call: clients are told to go elsewhere (GOAWAY), and what runs goes on until it is done, or for as long as `within`
 * says; what it calls is told that there is no more time than that. Contexts of what is then left are cancelled, with `ServerDraining` as the cause; it
 * has a moment to answer that, is answered for if it does not (UNAVAILABLE), and cut off.
 *
 * @returns a promise that resolves when the last connection is closed; a second call gives the first one's
 * @throws TypeError, RangeError if an argument is wrong
 */
export function drain(server: Server, { within, ...others }: DrainOptions): Promise<void> {
  refuseUnknown(others, ACTION);
  const ms = milliseconds(within, ACTION, "within");
  if (!(server instanceof Server)) {
    throw new TypeError(`Cannot ${ACTION}: it must be one of @grpc/grpc-js: current value is ${describe(server)}`);
  }
  let known = draining.get(server);
  if (known === undefined) draining.set(server, (known = drainWithin(server, ms)));
  return known;
}

async function drainWithin(server: Server, ms: number): Promise<void> {
  const traffic = serversOf(server).map(trafficOf);
  const running = (): Exchange[] => traffic.flatMap((each) => [...each]);
  const until = performance.now() + ms;
  for (const exchange of running()) exchange.declaredAt = Math.min(exchange.declaredAt, until);
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));

  const abort = new AbortController();
  const late = delay(ms, "late", { signal: abort.signal }).catch(() => undefined);
  if ((await Promise.race([closed, late])) === "late") {
    await haveTheLastWord(running, closed);
    await Promise.race([closed, delay(LAST_WORD)]);
    server.forceShutdown();
  }
  abort.abort();
  await closed;
}
