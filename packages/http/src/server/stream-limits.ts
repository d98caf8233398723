import { DeadlineExceeded } from "@throughline/context";
import { callAfter } from "@throughline/context/internal";

import type { ServerRequest, ActiveResponse } from "./server-request.ts";

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
export function applyStreamLimits(serverRequest: ServerRequest, { firstByteTimeout, idleTimeout }: StreamLimits): void {
  const { response } = serverRequest;
  if (response === undefined) return;
  if (firstByteTimeout !== undefined) {
    const stop = callAfter(firstByteTimeout, () => {
      if (!response.isBegun) exceed(serverRequest, firstByteTimeout, "firstByteTimeout");
    });
    serverRequest.onEnd({ stop });
  }
  if (idleTimeout !== undefined) watchMovement(serverRequest, response, idleTimeout);
}

/** Not by the timer that Node has for a socket: of that there is one, for all its requests and for everybody who sets it. */
function watchMovement(serverRequest: ServerRequest, response: ActiveResponse, idleTimeout: number): void {
  let seen = response.progress;
  let since = performance.now();
  let stop = (): void => {};
  const look = (): void => {
    const { isBegun, progress } = response;
    const now = performance.now();
    if (!isBegun || progress !== seen) [seen, since] = [progress, now];
    if (now - since >= idleTimeout) exceed(serverRequest, idleTimeout, "idleTimeout");
    else stop = callAfter(Math.max(1, idleTimeout / LOOKS), look);
  };
  look();
  serverRequest.onEnd({ stop: () => stop() });
}

function exceed(serverRequest: ServerRequest, budget: number, source: string): void {
  const error = new DeadlineExceeded(`context deadline exceeded: budget ${budget} ms set by ${source}`, {
    budget,
    elapsed: budget,
    source,
  });
  serverRequest.cancel(error);
  serverRequest.forceAnswer(error);
}
