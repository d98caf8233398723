import { type Context } from "@throughline/context";

import {
  createProcessor,
  headersIn,
  namedError,
  type ProcessOptions,
  type PublishOptions,
  send,
  type StopConsuming,
  stopOnDrain,
  withHeaders,
} from "./broker.ts";

export { type ProcessOptions, type PublishOptions, type StopConsuming } from "./broker.ts";

/** A job of `pg-boss`, as far as it is used here. */
export interface BossJob {
  readonly id: string;
  readonly name: string;
  readonly data: object;
  readonly signal: AbortSignal;
}

/** The outcome of a job, as `pg-boss` takes it. */
export interface BossJobResult {
  id: string;
  status: "completed" | "failed" | "deadletter";
  output?: unknown;
}

/** The part of `pg-boss` that sends. */
export interface BossPublisher {
  send(queue: string, data: object, options?: object): Promise<string | null>;
}

/** The part of `pg-boss` that works. */
export interface BossConsumer {
  work(
    queue: string,
    options: { perJobResults: true },
    handler: (jobs: BossJob[]) => Promise<BossJobResult[]>,
  ): Promise<string>;
  offWork(queue: string, options: { id: string; wait: boolean }): Promise<void>;
}

export interface BossConsumeOptions<J> extends ProcessOptions<J> {
  /** Options of `boss.work`. @default none */
  clientOptions?: object;
}

const SYSTEM = "pg-boss";

/**
 * Sends a job with what it carries of the context: in the field `throughline` of its data. Its time to live becomes its
 * `retentionSeconds`, rounded up. pg-boss makes its own PRODUCER and CONSUMER spans.
 *
 * @returns the id of the job, as of `boss.send`
 * @throws ContextError `ctx.err()` if the context has ended, or ends first; the job may have been sent then
 * @throws TypeError, RangeError if an option is wrong
 */
export function publish<O extends object = object>(
  ctx: Context,
  boss: BossPublisher,
  queue: string,
  data: object,
  options: PublishOptions<O> = {},
): Promise<string | null> {
  const target = { system: SYSTEM, destination: queue, isTracedElsewhere: true };
  return send(ctx, target, options, (sent) =>
    boss.send(queue, withHeaders(data, sent), {
      ...options.clientOptions,
      ...(sent.ttl === undefined ? undefined : { retentionSeconds: Math.ceil(sent.ttl / 1000) }),
    }),
  );
}

/**
 * Works on the jobs of a queue. `ack` completes the job with the result of the work; `dead` moves it to the dead letter
 * queue of its queue, or fails it without another attempt if there is none; `retry` and `requeue` fail it, and pg-boss
 * delivers it again as its `retryLimit` and `retryDelay` say: here a job that is handed back counts as an attempt.
 *
 * @returns a function that stops the delivery, as a drain of `consumers` does; it resolves when all jobs are settled
 * @throws TypeError, RangeError if an option is wrong
 */
export async function consume<D extends object = object>(
  boss: BossConsumer,
  queue: string,
  work: (ctx: Context, job: BossJob & { readonly data: D }) => unknown,
  options: BossConsumeOptions<BossJob & { readonly data: D }> = {},
): Promise<StopConsuming> {
  const { clientOptions, ...others } = options;
  const processor = createProcessor(SYSTEM, work, others);
  const processJob = (job: BossJob & { readonly data: D }): Promise<BossJobResult> => {
    const received = { headers: headersIn(job.data), destination: queue, signal: job.signal };
    return processor.process(job, received, (consumed) => {
      const { disposition } = consumed;
      if (disposition === "ack") return { id: job.id, status: "completed", output: consumed.value };
      return { id: job.id, status: disposition === "dead" ? "deadletter" : "failed", output: namedError(consumed) };
    });
  };
  const id = await boss.work(queue, { ...clientOptions, perJobResults: true }, (jobs) =>
    Promise.all(jobs.map((job) => processJob(job as BossJob & { readonly data: D }))),
  );
  return stopOnDrain(processor.consumers, () => boss.offWork(queue, { id, wait: true }));
}
