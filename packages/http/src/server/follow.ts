import { type Context, hasDeadline, onEndFirst } from "@throughline/context";

import { leaveTraffic } from "../node/node-traffic.ts";
import type { Exchange } from "./exchange.ts";
import type { Reply } from "./reply.ts";

/** Has the exchange end with its response: it is out, or the client has gone away before. */
export function follow(exchange: Exchange, reply: Reply): void {
  reply.onceClosed(() => {
    leaveTraffic(exchange);
    const { isDelivered, status } = reply;
    if (!isDelivered) exchange.fail(reply.error);
    exchange.end({ isDelivered, status });
  });
}

/**
 * Has a deadline that passes while the handler runs answered without it: before anybody is told, as a stream that listens to the signal would
 * break the response off.
 *
 * @param ctx the exchange's own context, or one with an earlier deadline
 */
export function answerAtDeadline(exchange: Exchange, ctx: Context): void {
  if (hasDeadline(ctx)) exchange.onEnd(onEndFirst(ctx, exchange));
}
