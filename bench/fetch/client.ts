// One way to call another service: a process of its own, which makes calls when it is told to, and tells what they have used.
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { background, current, run, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";

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

/** Takes spans and does nothing with them, so that only making them is measured. */
const nowhere: SpanExporter = { export: (_spans, done) => done({ code: 0 }), shutdown: () => Promise.resolve() };

if (variant === "ours, with a recorded span" || variant === "OpenTelemetry undici") {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: nowhere })] });
  trace.setGlobalTracerProvider(tracerProvider);
  const instrumentations = variant === "OpenTelemetry undici" ? [new UndiciInstrumentation()] : [];
  registerInstrumentations({ tracerProvider, instrumentations });
}

/** Each call of ours is under a context of its own, as that of a request which makes one call: to derive and end it is counted too. */
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

/** The least that a call under a context needs: its signal, and a header with the time that is left. */
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
