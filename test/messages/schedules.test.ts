import { DeadlineExceeded } from "@throughline/context";
import { Consumers } from "@throughline/messages";
import { consume } from "@throughline/messages/bullmq";
import { sleep } from "@throughline/resilience";
import { Queue, Worker } from "bullmq";
import { expect, it, vi } from "vitest";

import { hasRedis, startRedis } from "../support/redis.ts";

if (!hasRedis()) console.warn("SKIPPED: schedules of BullMQ: Redis is not installed");

it.skipIf(!hasRedis())("gives jobs that BullMQ schedules a context of their own, with a limit", async () => {
  const server = await startRedis();
  const connection = { url: server.url, maxRetriesPerRequest: null };
  const queue = new Queue("reports", { connection });
  const consumers = new Consumers();
  const left: number[] = [];
  const errors: unknown[] = [];
  const worker = consume(
    (processor) => new Worker("reports", processor, { connection }),
    async (ctx) => {
      left.push(ctx.remaining());
      await sleep(ctx, "1h");
    },
    { maxTimeout: 50, consumers, onConsumed: ({ error }) => void errors.push(error) },
  );
  await worker.waitUntilReady();
  await queue.upsertJobScheduler("often", { every: 100 }, { name: "report", data: {} });
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1), { timeout: 10_000 });
  await consumers.drain({ shutdownTimeout: "5s" });
  await queue.close();
  await server.stop();

  expect(left.every((ms) => ms <= 50)).toBe(true);
  expect(errors.slice(0, 2)).toEqual([expect.any(DeadlineExceeded), expect.any(DeadlineExceeded)]);
});
