import { background, type Context, DeadlineExceeded, withCancel, withTimeout } from "@throughline/context";
import { callsOf } from "@throughline/http";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { type DriverHost, POOL_SIZE, type RunningHost } from "./host.ts";
import { knexHosts } from "./knex.ts";
import { mysqlHosts } from "./mysql.ts";
import { pgHosts } from "./pg.ts";
import { postgresHosts } from "./postgres.ts";
import { redisHosts } from "./redis.ts";

const hosts: readonly DriverHost[] = [...pgHosts, ...postgresHosts, ...knexHosts, ...mysqlHosts, ...redisHosts];

/** More with `RACES=800`. */
const RACES = Number(process.env["RACES"] ?? 150);

const settled = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "done",
    (error: unknown) => error,
  );
const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const { name, missing } of hosts) if (missing !== undefined) console.warn(`SKIPPED: ${name}: ${missing}`);

describe.each(hosts.filter(({ missing }) => missing === undefined))("$name", ({ start }) => {
  let host: RunningHost;
  beforeAll(async () => {
    host = await start();
  }, 60_000);
  afterAll(() => host?.stop());

  const idle = async (): Promise<void> => {
    await vi.waitUntil(async () => (await host.running()) === 0, { timeout: 2000 });
  };

  it("stops a statement at the server when the deadline passes, and rejects at once with ctx.err()", async () => {
    // Opens the connection.
    await host.slow(withTimeout(background, "10s")[0], 1);
    const [ctx] = withTimeout(background, 150, { source: "test" });
    const from = performance.now();
    const error = await settled(host.slow(ctx, 10_000));

    expect(error).toBe(ctx.err());
    expect(performance.now() - from).toBeLessThan(1000);
    await idle();
    expect(performance.now() - from).toBeLessThan(2500);
    expect(callsOf(error)).toMatchObject([{ phase: "query", attempt: 1 }]);
  });

  it("stops a statement when its context is canceled", async () => {
    const [ctx, cancel] = withCancel(background);
    const running = settled(host.slow(ctx, 10_000));
    await vi.waitUntil(async () => (await host.running()) === 1);
    cancel(new Error("the client left"));

    expect(await running).toBe(ctx.err());
    await idle();
  });

  it("sends nothing for a context that has ended", async () => {
    const [ctx, cancel] = withCancel(background);
    cancel();

    expect(await settled(host.slow(ctx, 10_000))).toBe(ctx.err());
    expect(await host.running()).toBe(0);
  });

  it("gives the result of a statement that ends in time, and of one under a context that cannot end", async () => {
    const [ctx, cancel] = withTimeout(background, "10s");
    expect(await settled(host.slow(ctx, 1))).toBe("done");
    expect(await settled(host.slow(background, 1))).toBe("done");
    cancel();
  });

  it("keeps the pool usable, and within its size, after many cuts", async () => {
    const cut = async (): Promise<unknown> => settled(host.slow(withTimeout(background, 20)[0], 10_000));
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 2 * POOL_SIZE }, cut));
    await idle();
    const [ctx, cancel] = withTimeout(background, "10s");
    await Promise.all(Array.from({ length: 4 * POOL_SIZE }, () => host.slow(ctx, 1)));
    cancel();

    expect(await host.connections()).toBeLessThanOrEqual(POOL_SIZE);
  });

  it("ends the wait for a connection with the context, and leaves no waiter in the pool", async () => {
    const [long, cancel] = withCancel(background);
    const holders = Array.from({ length: POOL_SIZE }, () => settled(host.slow(long, 10_000)));
    await vi.waitUntil(async () => (await host.running()) === POOL_SIZE);
    const [ctx] = withTimeout(background, 50);
    const error = await settled(host.slow(ctx, 1));

    expect(error).toBe(ctx.err());
    expect(callsOf(error)).toMatchObject([{ phase: "pool" }]);
    expect(host.waiting?.() ?? 0).toBe(0);
    cancel();
    await Promise.all(holders);
    await idle();
  });

  it("never cancels the statement that comes next on a connection", { timeout: 60_000 }, async () => {
    let cut = 0;
    const hit: unknown[] = [];
    for (let race = 0; race < RACES; race++) {
      const [ctx, cancel] = withCancel(background);
      // Ends at about the same time as the statement.
      setTimeout(cancel, 2 + Math.random() * 2.5);
      const result = await settled(host.slow(ctx, 3));
      if (result !== "done") cut += 1;
      await Promise.all(
        Array.from({ length: POOL_SIZE }, () => host.innocent(3).catch((error: unknown) => hit.push(error))),
      );
    }
    expect(hit).toEqual([]);
    expect(cut).toBeGreaterThan(0);
  });

  describe("a transaction", () => {
    const endedIn = async (ctx: Context, ms: number): Promise<unknown> =>
      settled(host.transactions!.add(ctx, (statement) => statement(ms)));

    it("that ends in time is committed", async ({ skip }) => {
      if (host.transactions === undefined) skip();
      const before = await host.transactions!.number();
      const [ctx, cancel] = withTimeout(background, "10s");
      expect(await endedIn(ctx, 1)).toBe("done");
      cancel();
      expect(await host.transactions!.number()).toBe(before + 1);
    });

    it("is rolled back at the deadline, and holds no lock", async ({ skip }) => {
      if (host.transactions === undefined) skip();
      const before = await host.transactions!.number();
      const [ctx] = withTimeout(background, 150);
      const error = await endedIn(ctx, 10_000);

      expect(error).toBe(ctx.err());
      await idle();
      await vi.waitFor(() => host.transactions!.touch());
      expect(await host.transactions!.number()).toBe(before);
    });

    it("is rolled back when the deadline passes between two statements", async ({ skip }) => {
      if (host.transactions === undefined) skip();
      const before = await host.transactions!.number();
      const [ctx] = withTimeout(background, 100);
      const error = await settled(
        host.transactions!.add(ctx, async (statement) => {
          await delay(200);
          await statement(1);
        }),
      );

      expect(error).toBe(ctx.err());
      await vi.waitFor(() => host.transactions!.touch());
      expect(await host.transactions!.number()).toBe(before);
    });

    it("that was left open is rolled back before the next borrower", async ({ skip }) => {
      if (host.transactions?.forget === undefined) skip();
      const before = await host.transactions!.number();
      const [ctx, cancel] = withTimeout(background, "10s");
      await host.transactions!.forget!(ctx);
      await vi.waitFor(() => host.transactions!.touch());
      await Promise.all(Array.from({ length: POOL_SIZE }, () => host.innocent(1)));
      cancel();
      expect(await host.transactions!.number()).toBe(before);
    });
  });

  it("reports the error of its own for a statement that fails in time", async () => {
    const [ctx, cancel] = withTimeout(background, "10s");
    const error = await settled(host.fail(ctx));

    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(DeadlineExceeded);
    expect(ctx.err()).toBeUndefined();
    cancel();
  });
});
