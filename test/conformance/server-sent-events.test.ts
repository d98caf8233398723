import { type Context, current } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { ClientDisconnected, drain, ServerDraining } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import express from "express";
import { describe, expect, it, vi } from "vitest";

import { cleanUpAfterEach, serve } from "../support/loopback.ts";

cleanUpAfterEach();

/** The recipe of docs/sockets.md, with shorter times. The pause before the event with the number `slow` is long. */
async function serveEvents(slow = Infinity) {
  const contexts: Context[] = [];
  const app = express();
  app.get("/", requestContext({ firstByteTimeout: "2s", idleTimeout: 400 }), async (_req, res) => {
    const ctx = current();
    contexts.push(ctx);
    res.type("text/event-stream").flushHeaders();
    for (let id = 1; ; id += 1) {
      res.write(`id: ${id}\n\n`);
      await sleep(ctx, id === slow ? "1h" : 50);
    }
  });
  app.use(errorHandler());
  return { ...(await serve(app)), contexts };
}

/** Reads events until the stream ends, and returns how many there were. `onEvent` is called with each count. */
async function count(url: string, onEvent?: (count: number) => void, signal?: AbortSignal): Promise<number> {
  let events = 0;
  const response = await fetch(url, signal === undefined ? {} : { signal });
  try {
    for await (const chunk of response.body!) {
      events +=
        Buffer.from(chunk as Uint8Array)
          .toString()
          .split("id:").length - 1;
      onEvent?.(events);
    }
  } catch {
    // A stream that is broken off rejects.
  }
  return events;
}

describe("server-sent events", () => {
  it("go on for longer than idleTimeout, and end when no event is sent for so long", async () => {
    const { url, contexts } = await serveEvents(10);

    expect(await count(url)).toBe(10);
    expect(contexts[0]!.err()!.message).toContain("idleTimeout");
  });

  it("end when the client leaves", async () => {
    const { url, contexts } = await serveEvents();
    const abort = new AbortController();
    await count(url, (events) => events === 3 && abort.abort(), abort.signal);
    await vi.waitUntil(() => contexts[0]!.err());

    expect(contexts[0]!.cause()).toBeInstanceOf(ClientDisconnected);
  });

  it("go on during a drain until shutdownTimeout", async () => {
    const { server, url, contexts } = await serveEvents();
    let drained: Promise<void> | undefined;
    const events = await count(url, () => {
      drained ??= drain(server, { shutdownTimeout: 300 });
    });

    await drained;
    expect(events).toBeGreaterThan(2);
    expect(contexts[0]!.cause()).toBeInstanceOf(ServerDraining);
  });
});
