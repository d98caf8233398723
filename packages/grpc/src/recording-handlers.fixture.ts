import { type Context, current } from "@throughline/context";

import type { Handlers } from "./echo.fixture.ts";

/** The context that a handler ran in. */
export interface Seen {
  ctx: Context;
  /** Milliseconds left when the handler ran. */
  remaining: number;
  /** Resolves with the cause when the context ends. */
  ended: Promise<unknown>;
}

/** Handlers that record their context. @param waits whether they never answer */
export function recordingHandlers(waits = false): { handlers: Handlers; seen: Promise<Seen> } {
  const { promise, resolve } = Promise.withResolvers<Seen>();
  const record = (): void => {
    const ctx = current();
    const ended = new Promise((end) => ctx.signal.addEventListener("abort", () => end(ctx.cause())));
    resolve({ ctx, remaining: ctx.remaining(), ended });
  };
  const answer = (_call: unknown, callback: (error: null, reply: unknown) => void): void => {
    record();
    if (!waits) callback(null, "answer");
  };
  return {
    seen: promise,
    handlers: {
      Unary: answer as never,
      ServerStream(call) {
        record();
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
          record();
          if (!waits) call.end();
        });
      },
    },
  };
}
