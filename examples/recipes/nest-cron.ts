// @nestjs/schedule: the method of a schedule runs a job. The drain begins before Nest ends the schedules, so that none
// of their runs is lost, and none begins meanwhile.
import { Inject, Injectable, type OnModuleDestroy } from "@nestjs/common";
import { Cron } from "@nestjs/schedule";
import type { Context } from "@throughline/context";
import { Consumers, job, type RunJob } from "@throughline/messages";

/** Writes the report: in an application, another provider. */
export const WRITE_REPORT = Symbol("write report");

@Injectable()
export class Reports implements OnModuleDestroy {
  readonly #consumers = new Consumers();
  readonly #runJob: RunJob;

  constructor(@Inject(WRITE_REPORT) write: (ctx: Context) => Promise<void>) {
    this.#runJob = job({ within: "150s", name: "report", consumers: this.#consumers }, write);
  }

  @Cron("* * * * *", { name: "report" })
  report(): Promise<void> {
    return this.#runJob();
  }

  onModuleDestroy(): Promise<void> {
    return this.#consumers.drain({ shutdownTimeout: "10s" });
  }
}
