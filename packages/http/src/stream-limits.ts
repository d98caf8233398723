import { callAfter, DeadlineExceeded } from "@throughline/context";

import type { Exchange } from "./exchange.ts";
import type { Reply } from "./reply.ts";

/** Limits on how a response moves; the limit on all of it is `maxTimeout`. */
export interface StreamLimits {
  /** Milliseconds until the head of the response must be out. */
  readonly firstByteTimeout: number | undefined;
  /** Milliseconds that a response that has begun may stand still: the handler sends nothing, or the client takes nothing. */
  readonly idleTimeout: number | undefined;
}

/** Holds a response to its limits. One that breaks them ends its context, with `DeadlineExceeded` as the cause. */
export function limitStream(
  exchange: Exchange,
  response: Pick<Reply, "isBegun" | "onIdle">,
  { firstByteTimeout, idleTimeout }: StreamLimits,
): void {
  if (firstByteTimeout !== undefined) {
    const stop = callAfter(firstByteTimeout, () => {
      if (!response.isBegun) exceed(exchange, firstByteTimeout, "firstByteTimeout");
    });
    exchange.onEnd(stop);
  }
  if (idleTimeout !== undefined) {
    response.onIdle(idleTimeout, () => {
      if (response.isBegun) exceed(exchange, idleTimeout, "idleTimeout");
    });
  }
}

function exceed(exchange: Exchange, budget: number, source: string): void {
  const error = new DeadlineExceeded(`context deadline exceeded: budget ${budget} ms set by ${source}`, {
    budget,
    elapsed: budget,
    source,
  });
  exchange.cancel(error);
  exchange.answerFor?.(error);
}
