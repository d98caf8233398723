import { callAfter, DeadlineExceeded } from "@throughline/context";

import type { Exchange, ExchangeResponse } from "./exchange.ts";

/** Limits on how a response moves; the limit on all of it is `maxTimeout`. */
export interface StreamLimits {
  /** Milliseconds until the head of the response must be out. */
  readonly firstByteTimeout: number | undefined;
  /** Milliseconds that a response that has begun may stand still: the handler sends nothing, or the client takes nothing. */
  readonly idleTimeout: number | undefined;
}

/** How often in its time a response that must move is looked at. */
const LOOKS = 4;

/** Holds a response to its limits. One that breaks them ends its context, with `DeadlineExceeded` as the cause. */
export function limitStream(exchange: Exchange, { firstByteTimeout, idleTimeout }: StreamLimits): void {
  const { response } = exchange;
  if (response === undefined) return;
  if (firstByteTimeout !== undefined) {
    const stop = callAfter(firstByteTimeout, () => {
      if (!response.isBegun) exceed(exchange, firstByteTimeout, "firstByteTimeout");
    });
    exchange.onEnd({ stop });
  }
  if (idleTimeout !== undefined) watchMovement(exchange, response, idleTimeout);
}

/** Not by the timer that Node has for a socket: of that there is one, for all its requests and for everybody who sets it. */
function watchMovement(exchange: Exchange, response: ExchangeResponse, idleTimeout: number): void {
  let seen = response.progress;
  let since = performance.now();
  let stop = (): void => {};
  const look = (): void => {
    const { isBegun, progress } = response;
    const now = performance.now();
    if (!isBegun || progress !== seen) [seen, since] = [progress, now];
    if (now - since >= idleTimeout) exceed(exchange, idleTimeout, "idleTimeout");
    else stop = callAfter(Math.max(1, idleTimeout / LOOKS), look);
  };
  look();
  exchange.onEnd({ stop: () => stop() });
}

function exceed(exchange: Exchange, budget: number, source: string): void {
  const error = new DeadlineExceeded(`context deadline exceeded: budget ${budget} ms set by ${source}`, {
    budget,
    elapsed: budget,
    source,
  });
  exchange.cancel(error);
  exchange.answerFor(error);
}
