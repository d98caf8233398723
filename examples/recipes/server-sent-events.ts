// Server-sent events on Express: a client that connects again gets the events that it has missed, and a shutdown ends
// the streams at once, where a drain alone would wait for them until its timeout.
import { once } from "node:events";

import { type Context, current, withSignal } from "@throughline/context";
import { requestContext } from "@throughline/express";
import type { RequestHandler, Response } from "express";

export interface StreamedEvent {
  readonly id: number;
  readonly data: unknown;
}

/** Yields the events after `lastId`. It waits under `ctx`, and rejects with its error when the client leaves. */
export type Events = (ctx: Context, lastId: number) => AsyncIterable<StreamedEvent>;

/** Proxies close connections on which nothing is sent, many of them after a minute. */
const KEEP_ALIVE_MS = 15_000;

/** No `maxTimeout`, which would end every stream. A client that does not read is cut after `idleTimeout`. */
export const streamContext: RequestHandler = requestContext({ firstByteTimeout: "2s", idleTimeout: "1m" });

/**
 * Sends events until the client leaves or `closing` is aborted, behind {@link streamContext}.
 *
 * @param closing abort it before `drain`: clients then connect again, to another instance
 */
export function eventStream(events: Events, closing: AbortSignal): RequestHandler {
  return async (req, res) => {
    const [ctx, cancel] = withSignal(current(), closing);
    res.set({ "content-type": "text/event-stream", "cache-control": "no-store" }).flushHeaders();
    const keepAlive = setInterval(() => res.write(":\n\n"), KEEP_ALIVE_MS);
    try {
      for await (const { id, data } of events(ctx, Number(req.get("last-event-id")) || 0)) {
        await write(ctx, res, `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
      }
    } catch (error) {
      // An error of `events` itself goes to the error handler, which cuts the response.
      if (ctx.err() === undefined) throw error;
    } finally {
      clearInterval(keepAlive);
      cancel();
    }
    res.end();
  };
}

/** Waits for a client that reads slowly, so that the events do not pile up in memory. */
async function write(ctx: Context, res: Response, text: string): Promise<void> {
  if (!res.write(text)) await once(res, "drain", { signal: ctx.signal });
}
