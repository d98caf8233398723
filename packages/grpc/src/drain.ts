import { setTimeout as delay } from "node:timers/promises";

import { Server } from "@grpc/grpc-js";
import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";
import type { DrainOptions } from "@throughline/http";
import {
  activeRequestsOf,
  GRACE_MS,
  limitDownstream,
  type ServerRequest,
  waitAndCancel,
} from "@throughline/http/adapter";

import { serversOf } from "./internals.ts";

const ACTION = "drain a server";

const draining = new WeakMap<Server, Promise<void>>();

/**
 * Ends a server without losing a call: clients are told to go elsewhere (GOAWAY), and what runs goes on until it is done, or for as long as `shutdownTimeout`
 * says; what it calls is told that there is no more time than that. Contexts of what is then left are cancelled, with `ServerDraining` as the cause; it
 * has a moment to answer that, is answered for if it does not (UNAVAILABLE), and cut off.
 *
 * @returns a promise that resolves when the last connection is closed; a second call gives the first one's
 * @throws TypeError, RangeError if an argument is wrong
 */
export function drain(server: Server, { shutdownTimeout, ...others }: DrainOptions): Promise<void> {
  refuseUnknown(others, ACTION);
  const ms = milliseconds(shutdownTimeout, ACTION, "shutdownTimeout");
  if (!(server instanceof Server)) {
    throw new TypeError(`Cannot ${ACTION}: it must be one of @grpc/grpc-js; received ${describeValue(server)}`);
  }
  let known = draining.get(server);
  if (known === undefined) draining.set(server, (known = drainWithin(server, ms)));
  return known;
}

async function drainWithin(server: Server, ms: number): Promise<void> {
  const active = serversOf(server).map(activeRequestsOf);
  const running = (): ServerRequest[] => active.flatMap((each) => [...each]);
  limitDownstream(running(), ms);
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  if (await waitAndCancel(running, ms, closed)) {
    await Promise.race([closed, delay(GRACE_MS)]);
    server.forceShutdown();
  }
  await closed;
}
