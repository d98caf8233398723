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

import { serversOf } from "./grpc-js-internals.ts";

const ACTION = "drain a server";

const draining = new WeakMap<Server, Promise<void>>();

/**
 * Shuts a server of grpc-js down without losing calls. Clients get GOAWAY and connect elsewhere. Active calls go on for
 * up to `shutdownTimeout`; calls that they make to other services get no later deadline than that. Then the contexts of
 * the remaining calls are canceled with `ServerDraining` as the cause. Handlers have 500 ms to answer; calls that are
 * still open then end with UNAVAILABLE, and their connections are closed.
 *
 * @returns a promise that resolves when the last connection is closed; a second call returns the same promise
 * @throws TypeError, RangeError if an argument is wrong
 */
export function drain(server: Server, { shutdownTimeout, ...others }: DrainOptions): Promise<void> {
  refuseUnknown(others, ACTION);
  const ms = milliseconds(shutdownTimeout, ACTION, "shutdownTimeout");
  if (!(server instanceof Server)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'server' must be a Server of @grpc/grpc-js; received ${describeValue(server)}`,
    );
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
