import { type Context, current } from "@throughline/context";
import type { ServerOptions } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { afterEach } from "vitest";

import { type Reply, send } from "../support/http-client.ts";
import { type Handler, type Host, serve, type Served, type Setup } from "./index.ts";

/** The response to one request, and the context of its handler if it ran. */
export interface Answered {
  readonly reply: Reply;
  readonly ctx?: Context;
  /** The remaining time in the handler, in milliseconds. */
  readonly remaining?: number;
}

export interface Serving {
  /** Serves until the test ends. Returns the URL. */
  serving(handler: Handler, options?: ServerOptions, inner?: ServerOptions): Promise<string>;
  /** The same with every part of a set-up. */
  servingWith(handler: Handler, setup: Setup): Promise<string>;
  /** Starts a server, sends one request and returns its response. */
  answer(headers: Record<string, string | string[]>, options?: ServerOptions, handler?: Handler): Promise<Answered>;
  /** Starts a server and sends a request whose client disconnects while the handler waits. */
  abandon(): Promise<void>;
}

/** Starts servers of a host for the tests of a suite. They are closed after each test. */
export function serveOn(host: Host): Serving {
  const cleanups: Served[] = [];
  afterEach(async () => {
    for (const served of cleanups.splice(0)) await served.close();
  });

  async function servingWith(handler: Handler, { options, inner, ...further }: Setup): Promise<string> {
    const served = await serve(host, handler, options, inner, undefined, further);
    cleanups.push(served);
    return served.url;
  }

  function serving(handler: Handler, options?: ServerOptions, inner?: ServerOptions): Promise<string> {
    return servingWith(handler, { options, inner });
  }

  async function answer(
    headers: Record<string, string | string[]>,
    options?: ServerOptions,
    handler: Handler = () => "ok",
  ): Promise<Answered> {
    const seen: { ctx?: Context; remaining?: number } = {};
    const url = await serving((received) => {
      seen.ctx = current();
      seen.remaining = seen.ctx.remaining();
      return handler(received);
    }, options);
    return { reply: await send(host.protocol, url, headers).reply, ...seen };
  }

  async function abandon(): Promise<void> {
    const running = Promise.withResolvers<void>();
    const url = await serving(async () => {
      running.resolve();
      await sleep(current(), "10s");
      return "never received";
    });
    const sent = send(host.protocol, url);
    sent.reply.catch(() => {});
    await running.promise;
    sent.leave();
  }
  return { serving, servingWith, answer, abandon };
}
