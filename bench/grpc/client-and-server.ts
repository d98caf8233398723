// A gRPC server and client of one variant in one process. It makes calls on request and reports their CPU time and
// memory.
import { createRequire } from "node:module";

import type * as GrpcJs from "@grpc/grpc-js";
import { GrpcInstrumentation } from "@opentelemetry/instrumentation-grpc";
import { background, run, withTimeout } from "@throughline/context";
import { clientInterceptor, serverInterceptor } from "@throughline/grpc";

import { recordSpans } from "../tracing.ts";

export type Variant =
  | "bare"
  | "bare, with a deadline and interceptors that do nothing"
  | "ours"
  | "ours, in an existing context"
  | "ours, with recorded spans"
  | "OpenTelemetry grpc";

/** The cost of a number of calls. */
export interface Used {
  /** Microseconds a call. */
  readonly cpu: number;
  /** MiB. */
  readonly rss: number;
  /** What the server receives with a call, as proof that the variant does what its name says. */
  readonly sends: string;
}

const [variant] = process.argv.slice(2) as [Variant];
const isOurs = variant.startsWith("ours");
const isInherited = variant === "ours, in an existing context";
const isIdle = variant === "bare, with a deadline and interceptors that do nothing";

if (variant === "ours, with recorded spans" || variant === "OpenTelemetry grpc") {
  recordSpans(variant === "OpenTelemetry grpc" ? [new GrpcInstrumentation()] : []);
}

// Required, not imported: instrumentations patch CommonJS modules.
const grpc = createRequire(import.meta.url)("@grpc/grpc-js") as typeof GrpcJs;

const idleServer: GrpcJs.ServerInterceptor = (_method, call) => new grpc.ServerInterceptingCall(call, {});
const idleClient: GrpcJs.Interceptor = (options, next) => new grpc.InterceptingCall(next(options), {});

const identity = (bytes: Buffer): Buffer => bytes;
const service = {
  Unary: {
    path: "/bench.Echo/Unary",
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
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

/** Ours calls in a context made for the call, as for a call with its own deadline, or in the context of a request. */
async function one(): Promise<void> {
  if (!isOurs || isInherited) return call();
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
  await Promise.all(Array.from({ length: 20 }, () => (isInherited ? run(ctx, worker) : worker())));
  cancel();
}

function sends(): string {
  const names = [];
  if (last?.getDeadline() !== Infinity) names.push("a deadline");
  if (last?.metadata.get("traceparent").length === 1) names.push("traceparent");
  return names.join(", ");
}

// No forced garbage collection: it would also discard compiled code, and the next seconds would measure the compilers.
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
