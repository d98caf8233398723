import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ScheduleModule, SchedulerRegistry } from "@nestjs/schedule";
import {
  background,
  type Context,
  createKey,
  current,
  DeadlineExceeded,
  run,
  withCancel,
  withValue,
} from "@throughline/context";
import { ServerDraining } from "@throughline/http";
import { Consumers, job } from "@throughline/messages";
import { sleep } from "@throughline/resilience";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { scheduleWithCroner, scheduleWithNodeCron } from "../../examples/recipes/cron.ts";
import { Reports, WRITE_REPORT } from "../../examples/recipes/nest-cron.ts";

const MINUTE = 60_000;
const tenantKey = createKey<string>("tenant");

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
    now: new Date("2026-01-01T00:00:30Z"),
  });
});
afterEach(() => void vi.useRealTimers());

/** A scheduled job, whose runs are recorded. */
interface Scheduled {
  /** Ends the schedule: work that has begun has 10 seconds. */
  drain(): Promise<unknown>;
}
type Schedule = (work: (ctx: Context) => Promise<void>, onError: (error: unknown) => void) => Promise<Scheduled>;

function withConsumers(add: (runJob: () => Promise<void>, consumers: Consumers) => unknown): Schedule {
  return async (work, onError) => {
    const consumers = new Consumers();
    add(job({ within: "150s", consumers, onError }, work), consumers);
    return { drain: () => consumers.drain({ shutdownTimeout: "10s" }) };
  };
}

const nest: Schedule = async (work, onError) => {
  vi.spyOn(process, "emitWarning").mockImplementation((error) => onError(error));
  @Module({
    imports: [ScheduleModule.forRoot()],
    providers: [Reports, { provide: WRITE_REPORT, useValue: work }],
  })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  await app.init();
  expect(app.get(SchedulerRegistry).getCronJobs().size).toBe(1);
  return { drain: () => app.close() };
};

describe.each<[string, Schedule]>([
  ["croner", withConsumers((runJob, consumers) => scheduleWithCroner("* * * * *", runJob, consumers))],
  ["node-cron", withConsumers((runJob, consumers) => scheduleWithNodeCron("* * * * *", runJob, consumers))],
  ["@nestjs/schedule", nest],
])("a job of %s", (_library, schedule) => {
  let runs: Context[];
  let running: number;
  let most: number;
  let errors: unknown[];
  let scheduled: Scheduled;

  /** Schedules work that takes as long as `takes` says, in a request that ends at once. */
  async function scheduleInRequest(takes: number): Promise<void> {
    [runs, running, most, errors] = [[], 0, 0, []];
    const [request, cancel] = withCancel(withValue(background, tenantKey, "acme"));
    const work = async (ctx: Context): Promise<void> => {
      runs.push(ctx);
      expect(current()).toBe(ctx);
      most = Math.max(most, (running += 1));
      await sleep(ctx, takes).finally(() => (running -= 1));
    };
    scheduled = await run(request, () => schedule(work, (error) => void errors.push(error)));
    cancel();
  }
  afterEach(async () => {
    const drained = scheduled.drain();
    await vi.advanceTimersByTimeAsync(11_000);
    await drained;
    vi.restoreAllMocks();
  });

  it("runs each time in a context of its own, not in that of the request that scheduled it", async () => {
    await scheduleInRequest(1000);
    await vi.advanceTimersByTimeAsync(3 * MINUTE);

    expect(runs).toHaveLength(3);
    expect(new Set(runs).size).toBe(3);
    expect(runs.map((ctx) => ctx.value(tenantKey))).toEqual([undefined, undefined, undefined]);
    expect(errors).toEqual([]);
  });

  it("does not overlap, and is cut at its limit", async () => {
    await scheduleInRequest(60 * MINUTE);
    await vi.advanceTimersByTimeAsync(30_000 + 10 * MINUTE);

    // Each run takes two and a half of the minutes at which it is due.
    expect([runs.length, most]).toEqual([4, 1]);
    expect(errors).toEqual([expect.any(DeadlineExceeded), expect.any(DeadlineExceeded), expect.any(DeadlineExceeded)]);
  });

  it("may finish when a drain begins, and runs no more", async () => {
    await scheduleInRequest(5000);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(running).toBe(1);
    let isDrained = false;
    const drained = scheduled.drain().then(() => (isDrained = true));
    await vi.advanceTimersByTimeAsync(3000);
    expect(isDrained).toBe(false);
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    await drained;

    expect([runs.length, running, errors]).toEqual([1, 0, []]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is canceled by a drain that takes too long, in which no other run begins", async () => {
    await scheduleInRequest(60 * MINUTE);
    await vi.advanceTimersByTimeAsync(30_000 + MINUTE - 5000);
    expect(running).toBe(1);
    const drained = scheduled.drain();
    await vi.advanceTimersByTimeAsync(12_000);
    await drained;

    expect([runs.length, running]).toEqual([1, 0]);
    expect(errors).toEqual([expect.objectContaining({ cause: expect.any(ServerDraining) })]);
  });
});

it.each<[string, (consumers: Consumers, work: () => Promise<void>) => unknown]>([
  ["croner", (consumers, work) => scheduleWithCroner("* * * * * *", work, consumers)],
  ["node-cron", (consumers, work) => scheduleWithNodeCron("* * * * * *", work, consumers)],
])("the timers of %s do not belong to the request that schedules them", async (_library, schedule) => {
  // Fake timers call back in the context of the test.
  vi.useRealTimers();
  const consumers = new Consumers();
  const [request, cancel] = withCancel(background);
  const context = await new Promise<Context>((resolve) => {
    run(request, () => schedule(consumers, async () => resolve(current())));
  });
  cancel();
  await consumers.drain({ shutdownTimeout: 0 });
  expect(context).toBe(background);
});
