// Cron schedules of croner and node-cron: each run has a Context of its own, never that of the request that schedules
// it. Runs of a job do not overlap, end at their limit, and a drain of the consumers ends them and the schedule.
import { background, run } from "@throughline/context";
import type { Consumers, RunJob } from "@throughline/messages";
import { Cron } from "croner";
import { schedule, type ScheduledTask } from "node-cron";

/** @param runJob made by `job`, with the same consumers */
export function scheduleWithCroner(pattern: string, runJob: RunJob, consumers: Consumers): Cron {
  // Outside of the request, if there is one, so that its timers do not retain it.
  const cron = run(background, () => new Cron(pattern, runJob));
  consumers.onDrain(() => cron.stop());
  return cron;
}

/** @param runJob made by `job`, with the same consumers */
export function scheduleWithNodeCron(pattern: string, runJob: RunJob, consumers: Consumers): ScheduledTask {
  const task = run(background, () => schedule(pattern, runJob));
  consumers.onDrain(() => task.destroy());
  return task;
}
