// A client of one variant in a process of its own. It makes calls on request and reports their CPU time and memory.
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { background, current, run, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";

import { recordSpans } from "../tracing.ts";

export type Variant =
  | "bare"
  | "bare, with AbortSignal.timeout"
  | "hand-wired: signal and header"
  | "ours"
  | "ours, retrying"
  | "ours, with a recorded span"
  | "OpenTelemetry undici";

const [variant, url] = process.argv.slice(2) as [Variant, string];

const TIMEOUT = 5_000;
const CONCURRENCY = 20;

if (variant === "ours, with a recorded span" || variant === "OpenTelemetry undici") {
  recordSpans(variant === "OpenTelemetry undici" ? [new UndiciInstrumentation()] : []);
}

/** Each call of ours has its own context, as in a request that makes one call: deriving and ending it counts too. */
function callOf(): () => Promise<unknown> {
  if (variant === "bare, with AbortSignal.timeout") {
    return async () => (await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) })).json();
  }
  if (variant === "bare" || variant === "OpenTelemetry undici") return async () => (await fetch(url)).json();
  const call = variant === "hand-wired: signal and header" ? handWired : oursOf(variant === "ours, retrying");
  return async () => {
    const [ctx, cancel] = withTimeout(background, TIMEOUT);
    try {
      return await run(ctx, call);
    } finally {
      cancel();
    }
  };
}

/** The minimum for a call in a context: its signal, and a header with the time left. */
async function handWired(): Promise<unknown> {
  const ctx = current();
  const headers = { "grpc-timeout": `${Math.floor(ctx.remaining()) - 1}m` };
  return (await fetch(url, { signal: ctx.signal, headers })).json();
}

function oursOf(retry: boolean): () => Promise<unknown> {
  const ours = createFetch({ retry });
  return async () => (await ours(url)).json();
}

const call = callOf();

async function make(calls: number): Promise<{ cpu: number; rss: number }> {
  const before = process.cpuUsage();
  let left = calls;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  const { user, system } = process.cpuUsage(before);
  return { cpu: user + system, rss: process.memoryUsage.rss() };
}

process.on("message", (calls: number) => void make(calls).then((used) => process.send!(used)));
process.once("disconnect", () => process.exit(0));
