import { PassThrough, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

import { type Context, current, DeadlineExceeded } from "@throughline/context";
import { describe, expect, it, vi } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { send } from "../support/http-client.ts";

/** Yields `count` chunks, one every `ms` milliseconds. */
function ticking(count: number, ms: number): Readable {
  return Readable.from(
    (async function* () {
      for (let index = 0; index < count; index++) {
        yield Buffer.from(`${index} `);
        await delay(ms);
      }
    })(),
  );
}

describe.each(hosts)("a response of $name", (host) => {
  const { serving } = serveOn(host);

  it("that has not started within firstByteTimeout is answered 504", async () => {
    let ctx: Context | undefined;
    const url = await serving(() => ((ctx = current()), new Promise<string>(() => {})), { firstByteTimeout: 30 });
    const reply = await send(host.protocol, url).reply;

    expect(reply.status).toBe(504);
    expect(reply.json()).toMatchObject({ budgetMs: 30, setBy: "firstByteTimeout" });
    await vi.waitUntil(() => ctx?.err());
    expect(ctx!.cause()).toBeInstanceOf(DeadlineExceeded);
  });

  it("that started in time continues while it makes progress", async () => {
    const url = await serving(() => ticking(8, 40), { firstByteTimeout: 200, idleTimeout: 200 });

    expect((await send(host.protocol, url).reply).body).toBe("0 1 2 3 4 5 6 7 ");
  });

  it("that stalls is aborted, and its context ends", async () => {
    let ctx: Context | undefined;
    const body = new PassThrough();
    body.write("begun");
    const url = await serving(() => ((ctx = current()), body), { idleTimeout: 40 });

    await expect(send(host.protocol, url).reply).rejects.toThrow();
    await vi.waitUntil(() => ctx?.err());
    expect(ctx!.cause()).toMatchObject({ name: "TimeoutError", source: "idleTimeout" });
    body.destroy();
  });

  it("that its client does not read is aborted, and its context ends", async () => {
    let ctx: Context | undefined;
    const url = await serving(() => ((ctx = current()), "x".repeat(64 * 1024 * 1024)), { idleTimeout: 60 });
    const { reply } = send(host.protocol, url, {}, { isPaused: true });
    reply.catch(() => {});

    await vi.waitUntil(() => ctx?.err(), { timeout: 5000 });
    expect(ctx!.cause()).toMatchObject({ name: "TimeoutError", source: "idleTimeout" });
  });
});
