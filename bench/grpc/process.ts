// A server and a client of gRPC in one process, in one of the ways that are compared: it makes as many calls as it is asked for, and reports what they have cost.
import { createRequire } from "node:module";

import type * as GrpcJs from "@grpc/grpc-js";
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { GrpcInstrumentation } from "@opentelemetry/instrumentation-grpc";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { background, run, withTimeout } from "@throughline/context";
import { clientInterceptor, serverInterceptor } from "@throughline/grpc";

export type Variant =
  | "bare"
  | "bare, with a deadline and interceptors that do nothing"
  | "ours"
  | "ours, in a context that is there"
  | "ours, with recorded spans"
  | "OpenTelemetry grpc";

/** What a number of calls has used. */
export interface Used {
  /** Microseconds a call. */
  readonly cpu: number;
  /** MiB. */
  readonly rss: number;
  /** What a call brings to the server, which shows that a variant does what its name says. */
  readonly sends: string;
}

const [variant] = process.argv.slice(2) as [Variant];
const isOurs = variant.startsWith("ours");
const isThere = variant === "ours, in a context that is there";
const isIdle = variant === "bare, with a deadline and interceptors that do nothing";

/** Takes spans and does nothing with them, so that only making them is measured. */
const nowhere: SpanExporter = { export: (_spans, done) => done({ code: 0 }), shutdown: () => Promise.resolve() };

if (variant === "ours, with recorded spans" || variant === "OpenTelemetry grpc") {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: nowhere })] });
  trace.setGlobalTracerProvider(tracerProvider);
  const instrumentations = variant === "OpenTelemetry grpc" ? [new GrpcInstrumentation()] : [];
  registerInstrumentations({ tracerProvider, instrumentations });
}

// Required, not imported: instrumentations patch what is required.
const grpc = createRequire(import.meta.url)("@grpc/grpc-js") as typeof GrpcJs;

const idleServer: GrpcJs.ServerInterceptor = (_method, call) => new grpc.ServerInterceptingCall(call, {});
const idleClient: GrpcJs.Interceptor = (options, next) => new grpc.InterceptingCall(next(options), {});

const asIs = (bytes: Buffer): Buffer => bytes;
const service = {
  Unary: {
    path: "/bench.Echo/Unary",
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
} as const;

const server = new grpc.Server({
  interceptors: isOurs ? [serverInterceptor({ maxTimeout: "30s" })] : isIdle ? [idleServer] : [],
});
type Call = Pick<GrpcJs.ServerUnaryCall<Buffer, Buffer>, "request" | "metadata" | "getDeadline">;
let last: Call | undefined;
server.addService(service, {
  Unary: (call: Call, callback: (error: null, reply: Buffer) => void) => callback(null, (last = call).request),
});
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
    error === null ? resolve(bound) : reject(error),
  );
});
const Client = grpc.makeClientConstructor(service, "Echo");
const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
  interceptors: isOurs ? [clientInterceptor()] : isIdle ? [idleClient] : [],
});
const body = Buffer.alloc(100);

function call(): Promise<void> {
  const options = isIdle ? { deadline: Date.now() + 5000 } : {};
  return new Promise((resolve, reject) => {
    client["Unary"]!(body, options, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

/** With ours, in a context that is made for the call, as is done where it has a deadline of its own; or in that of the request being served. */
async function one(): Promise<void> {
  if (!isOurs || isThere) return call();
  const [ctx, cancel] = withTimeout(background, 5000);
  await run(ctx, call);
  cancel();
}

async function many(count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  const [ctx, cancel] = withTimeout(background, "1h");
  await Promise.all(Array.from({ length: 20 }, () => (isThere ? run(ctx, worker) : worker())));
  cancel();
}

function sends(): string {
  const names = [];
  if (last?.getDeadline() !== Infinity) names.push("a deadline");
  if (last?.metadata.get("traceparent").length === 1) names.push("traceparent");
  return names.join(", ");
}

// Nothing is collected by force: that would discard compiled code as well, and compilers would be measured for seconds after.
process.on("message", async (calls: number) => {
  const before = process.cpuUsage();
  await many(calls);
  const { user, system } = process.cpuUsage(before);
  const used: Used = { cpu: (user + system) / calls, rss: process.memoryUsage.rss() / 2 ** 20, sends: sends() };
  process.send!(used);
});
process.once("disconnect", () => {
  client.close();
  server.forceShutdown();
});
