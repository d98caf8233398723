import { trace } from "@opentelemetry/api";
import { background, type Context, type Duration, run, withTimeout } from "@throughline/context";
import { callable, describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import type { Consumers } from "./consumers.ts";
import { setFailed, tracer } from "./spans.ts";

export interface JobOptions {
  /** How long one run may take. */
  within: Duration;
  /** The name of the span of each run, which begins a trace. No spans without it. @default none */
  name?: string;
  /** A drain waits for a run that is under way, and cancels it at last; none begins after it. @default none */
  consumers?: Consumers;
  /** Called with the error of a run that fails. @default a warning of the process */
  onError?: (error: unknown) => void;
}

/** Runs the work once. It never rejects; it does nothing while a run is under way, and after the begin of a drain. */
export type RunJob = () => Promise<void>;

/**
 * Makes a function for a scheduler: each call runs `work` in a Context of its own, which derives from `background`, also
 * if a request has set up the schedule. Runs do not overlap.
 *
 * @throws TypeError, RangeError if an argument is wrong
 */
export function job(options: JobOptions, work: (ctx: Context) => unknown): RunJob {
  return createJob(options, work, { action: "make a job", source: "job" });
}

export function createJob(
  options: JobOptions,
  work: (ctx: Context) => unknown,
  { action, source }: { readonly action: string; readonly source: string },
): RunJob {
  const { within, name, consumers, onError = warn, ...others } = options;
  refuseUnknown(others, action);
  callable("work", work, action);
  callable("onError", onError, action);
  if (name !== undefined && typeof name !== "string") {
    throw new TypeError(`Cannot ${action}: 'name' must be a string; received ${describeValue(name)}`);
  }
  const limit = milliseconds(within, action, "within");
  let isRunning = false;

  return async () => {
    if (isRunning || consumers?.isDraining) return;
    isRunning = true;
    const done = consumers?.begin();
    const [ctx, cancel] = withTimeout(consumers?.ctx ?? background, limit, { source });
    try {
      await inSpan(ctx, name, (within) => run(within, async () => work(within)));
    } catch (error) {
      report(onError, error);
    } finally {
      cancel();
      done?.();
      isRunning = false;
    }
  };
}

async function inSpan(ctx: Context, name: string | undefined, work: (ctx: Context) => Promise<unknown>): Promise<void> {
  if (name === undefined) return void (await work(ctx));
  const span = tracer().startSpan(name, { root: true }, ctx);
  try {
    await work(trace.setSpan(ctx, span) as Context);
  } catch (error) {
    setFailed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function report(onError: (error: unknown) => void, error: unknown): void {
  try {
    onError(error);
  } catch (thrown) {
    warn(thrown);
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: "THROUGHLINE_SCHEDULED" });
}
