import { type Context, current } from "@throughline/context";

import type { Handlers } from "./echo.fixture.ts";

/** What a handler ran in. */
export interface Seen {
  ctx: Context;
  remaining: number;
  ended: Promise<unknown>;
}

/** Handlers that tell what they ran in, and answer unless they are to wait for the end. */
export function telling(waits = false): { handlers: Handlers; seen: Promise<Seen> } {
  const { promise, resolve } = Promise.withResolvers<Seen>();
  const tell = (): void => {
    const ctx = current();
    const ended = new Promise((end) => ctx.signal.addEventListener("abort", () => end(ctx.cause())));
    resolve({ ctx, remaining: ctx.remaining(), ended });
  };
  const answer = (_call: unknown, callback: (error: null, reply: unknown) => void): void => {
    tell();
    if (!waits) callback(null, "answer");
  };
  return {
    seen: promise,
    handlers: {
      Unary: answer as never,
      ServerStream(call) {
        tell();
        call.write("first");
        if (!waits) call.end();
      },
      ClientStream(call, callback) {
        call.on("data", () => {});
        call.once("end", () => answer(call, callback as never));
      },
      Bidi(call) {
        call.on("data", (message) => call.write(message));
        call.once("end", () => {
          tell();
          if (!waits) call.end();
        });
      },
    },
  };
}
