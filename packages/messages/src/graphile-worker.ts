import { setTimeout as delay } from "node:timers/promises";

import { type Context } from "@throughline/context";

import {
  createProcessor,
  headersIn,
  isWrapped,
  namedError,
  type ProcessOptions,
  type PublishOptions,
  send,
  stopOnDrain,
  withHeaders,
} from "./broker.ts";

export { type ProcessOptions, type PublishOptions } from "./broker.ts";

/** What adds jobs: `WorkerUtils`, a `Runner`, or the helpers of a task. */
export interface GraphilePublisher<J> {
  addJob(identifier: string, payload: unknown, spec?: object): Promise<J>;
}

/** The helpers of a task, as far as they are used here. */
export interface GraphileHelpers {
  readonly job: { readonly id: string; readonly max_attempts: number; readonly task_identifier: string };
  readonly abortSignal: AbortSignal;
}

/** A job with its payload. */
export interface GraphileMessage<H extends GraphileHelpers> {
  readonly payload: unknown;
  readonly helpers: H;
}

/** The `WorkerUtils` of `graphile-worker`, as far as they are used here. */
export interface GraphileUtils {
  permanentlyFailJobs(ids: string[], reason?: string): Promise<readonly unknown[]>;
  rescheduleJobs(ids: string[], options: { runAt?: Date; maxAttempts?: number }): Promise<readonly unknown[]>;
}

/** A `Runner` of `graphile-worker`, as far as it is used here. */
export interface GraphileRunner {
  stop(): Promise<void>;
}

export interface GraphileConsumeOptions<H extends GraphileHelpers> extends ProcessOptions<GraphileMessage<H>> {
  /**
   * Give up dead jobs for good, and deliver jobs that are handed back at once. Without them both are tried again after
   * the backoff of graphile-worker, and count as an attempt; a dead job is then refused each time. @default none
   */
  utils?: GraphileUtils;
}

const SYSTEM = "graphile-worker";

/**
 * Adds a job with what it carries of the context: in the field `throughline` of its payload. graphile-worker does not
 * drop a job at its deadline: the worker refuses it then.
 *
 * @throws ContextError `ctx.err()` if the context has ended, or ends first; the job may have been added then
 * @throws TypeError, RangeError if an option is wrong
 */
export function publish<J, O extends object = object>(
  ctx: Context,
  publisher: GraphilePublisher<J>,
  identifier: string,
  payload: object,
  options: PublishOptions<O> = {},
): Promise<J> {
  const target = { system: SYSTEM, destination: identifier, isTracedElsewhere: isWrapped(publisher, "addJob") };
  return send(ctx, target, options, (sent) =>
    publisher.addJob(identifier, withHeaders(payload, sent), options.clientOptions),
  );
}

/**
 * Processes the jobs of a runner that `createRunner` makes of the given task: `run({ pgPool, taskList: { order: task }
 * })`. `ack` completes the job; `retry` fails it, and graphile-worker tries it again as often as its `maxAttempts` say;
 * `dead` and `requeue` need `utils`. A drain of `consumers` stops the runner.
 *
 * @returns the runner
 * @throws TypeError, RangeError if an option is wrong
 */
export async function consume<R extends GraphileRunner, H extends GraphileHelpers = GraphileHelpers>(
  createRunner: (task: (payload: unknown, helpers: H) => Promise<void>) => PromiseLike<R> | R,
  work: (ctx: Context, message: GraphileMessage<H>) => unknown,
  options: GraphileConsumeOptions<H> = {},
): Promise<R> {
  const { utils, ...others } = options;
  const processor = createProcessor(SYSTEM, work, others);
  const { consumers, reportError } = processor;

  const runner = await createRunner((payload, helpers) => {
    const { job, abortSignal } = helpers;
    const received = { headers: headersIn(payload), destination: job.task_identifier, signal: abortSignal };
    return processor.process({ payload, helpers }, received, (consumed) => {
      const { disposition } = consumed;
      if (disposition === "ack") return;
      const error = namedError(consumed);
      if (utils !== undefined && disposition !== "retry") {
        const settled = consumers?.beginSettling();
        whenUnlocked(() =>
          disposition === "dead"
            ? utils.permanentlyFailJobs([job.id], error.message)
            : // One attempt more, instead of one fewer made: graphile-worker 0.18 ignores `attempts: 0`.
              utils.rescheduleJobs([job.id], { runAt: new Date(), maxAttempts: job.max_attempts + 1 }),
        )
          .catch(reportError)
          .finally(() => settled?.())
          .catch(reportError);
      }
      throw error;
    });
  });
  stopOnDrain(consumers, () => runner.stop());
  return runner;
}

/** graphile-worker changes a job only once it has recorded its failure, and does not report when that is. */
async function whenUnlocked(change: () => Promise<readonly unknown[]>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    await delay(20);
    if ((await change()).length > 0) return;
  }
}
