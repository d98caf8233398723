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

/** A `Queue` of BullMQ, as far as it is used here. */
export interface BullQueue<J> {
  readonly name: string;
  add(name: string, data: object, options?: object): Promise<J>;
}

/** A `Job` of BullMQ, as far as it is used here. */
export interface BullJob {
  readonly queueName: string;
  readonly data: unknown;
  moveToWait(token?: string): Promise<unknown>;
}

/** A `Worker` of BullMQ, as far as it is used here. */
export interface BullWorker {
  close(): Promise<unknown>;
}

/** What BullMQ calls for each job. It passes its signal only to a function that has three parameters. */
export type BullProcessor = (
  job: BullJob,
  token: string | undefined,
  signal: AbortSignal | undefined,
) => Promise<unknown>;

const SYSTEM = "bullmq";

/**
 * Adds a job with what it carries of the context. BullMQ has no headers: the field `throughline` of the data carries
 * them. It does not drop a job at its deadline: the worker refuses it then.
 *
 * @throws ContextError `ctx.err()` if the context has ended, or ends first; the job may have been added then
 * @throws TypeError, RangeError if an option is wrong
 */
export function publish<J, O extends object = object>(
  ctx: Context,
  queue: BullQueue<J>,
  name: string,
  data: object,
  options: PublishOptions<O> = {},
): Promise<J> {
  const hasTelemetry = (queue as { opts?: { telemetry?: unknown } }).opts?.telemetry !== undefined;
  const target = {
    system: SYSTEM,
    destination: queue.name,
    isTracedElsewhere: hasTelemetry || isWrapped(queue, "add"),
  };
  return send(ctx, target, options, (sent) => queue.add(name, withHeaders(data, sent), options.clientOptions));
}

/**
 * Processes the jobs of a worker that `createWorker` makes of the given function: `new Worker("orders", processor,
 * options)`. `ack` completes the job with the result of the work; `dead` fails it without another attempt; `retry`
 * fails it, and BullMQ tries it again as often as its `attempts` say; `requeue` moves it back to the waiting jobs. A
 * drain of `consumers` closes the worker. `worker.cancelJob(id)` ends the context of a job.
 *
 * @returns the worker
 * @throws TypeError, RangeError if an option is wrong
 */
export function consume<W extends BullWorker, J extends BullJob = BullJob>(
  createWorker: (processor: BullProcessor) => W,
  work: (ctx: Context, job: J) => unknown,
  options: ProcessOptions<J> = {},
): W {
  const processor = createProcessor(SYSTEM, work, options);
  const worker = createWorker((job, token, signal) => {
    const received = { headers: headersIn(job.data), destination: job.queueName, signal };
    return processor.process(job as J, received, async (consumed) => {
      const { disposition } = consumed;
      if (disposition === "ack") return consumed.value;
      if (disposition === "dead") throw namedError(consumed, "UnrecoverableError");
      if (disposition === "retry") throw namedError(consumed);
      await job.moveToWait(token);
      throw namedError(consumed, "WaitingError");
    });
  });
  stopOnDrain(processor.consumers, () => worker.close());
  return worker;
}
