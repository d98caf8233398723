// h3 1, and Nitro 2, which is made of it: one Context per request.
import { IncomingMessage } from "node:http";

import { requestContext, type ServerOptions } from "@throughline/http";
import { type App, eventHandler, type H3Event } from "h3v1"; // h3 1 is installed by this name beside h3 2

/**
 * Gives each request of an application its Context. In Nitro, call it in `server/plugins/context.ts`:
 * `export default defineNitroPlugin(({ h3App }) => withRequestContext(h3App))`.
 */
export function withRequestContext(app: App, options?: ServerOptions): void {
  const { handler } = app;
  const events = new WeakMap<IncomingMessage, H3Event>();
  const listener = requestContext((req) => handler(events.get(req as IncomingMessage)!) as Promise<void>, options);
  app.handler = eventHandler((event) => {
    const { req, res } = event.node;
    // A call of Nitro's `$fetch` within this server has no connection, and belongs to the request that makes it.
    if (!(req instanceof IncomingMessage)) return handler(event) as unknown;
    events.set(req, event);
    return listener(req, res);
  });
}
