// One way to call another service: a process of its own, which makes calls when it is told to, and tells what they have used.
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { background, run, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";

export type Variant =
  | "bare"
  | "bare, with AbortSignal.timeout"
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
  if (!variant.startsWith("ours")) return async () => (await fetch(url)).json();
  const ours = createFetch({ retry: variant === "ours, retrying" });
  const call = async (): Promise<unknown> => (await ours(url)).json();
  return async () => {
    const [ctx, cancel] = withTimeout(background, TIMEOUT);
    try {
      return await run(ctx, call);
    } finally {
      cancel();
    }
  };
}

const call = callOf();

async function make(calls: number): Promise<{ cpu: number; rss: number }> {
  globalThis.gc?.();
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
