import { DeadlineExceeded } from "@throughline/context";
import { callAfter, now } from "@throughline/context/internal";

import type { ServerRequest, ActiveResponse } from "./server-request.ts";

/** Limits on the progress of a response. The limit on its whole time is `maxTimeout`. */
export interface StreamLimits {
  /** Milliseconds until the head of the response must be sent. */
  readonly firstByteTimeout: number | undefined;
  /**
   * Milliseconds without progress after the response has begun: the handler sends nothing, or the client receives
   * nothing.
   */
  readonly idleTimeout: number | undefined;
}

/** How often progress is checked within the idle timeout. */
const CHECKS_PER_TIMEOUT = 4;

/** Applies the limits to a response. Exceeding one cancels the context with `DeadlineExceeded` as the cause. */
export function applyStreamLimits(serverRequest: ServerRequest, { firstByteTimeout, idleTimeout }: StreamLimits): void {
  const { response } = serverRequest;
  if (response === undefined) return;
  if (firstByteTimeout !== undefined) {
    const stop = callAfter(firstByteTimeout, () => {
      if (!response.isBegun) timeOut(serverRequest, firstByteTimeout, "firstByteTimeout");
    });
    serverRequest.addCleanup({ stop });
  }
  if (idleTimeout !== undefined) watchProgress(serverRequest, response, idleTimeout);
}

/** Does not use Node's socket timeout: a socket has only one, which all its requests and the application share. */
function watchProgress(serverRequest: ServerRequest, response: ActiveResponse, idleTimeout: number): void {
  let seen = response.progress;
  let since = now();
  let stop = (): void => {};
  const check = (): void => {
    const { isBegun, progress } = response;
    const time = now();
    if (!isBegun || progress !== seen) [seen, since] = [progress, time];
    if (time - since >= idleTimeout) timeOut(serverRequest, idleTimeout, "idleTimeout");
    else stop = callAfter(Math.max(1, idleTimeout / CHECKS_PER_TIMEOUT), check);
  };
  check();
  serverRequest.addCleanup({ stop: () => stop() });
}

function timeOut(serverRequest: ServerRequest, budget: number, source: string): void {
  const error = new DeadlineExceeded(`context deadline exceeded: budget ${budget} ms set by ${source}`, {
    budget,
    elapsed: budget,
    source,
  });
  serverRequest.cancel(error);
  serverRequest.forceAnswer(error);
}
