// Serves a few of its own requests in the set-up named by its argument, prints the recorded data and exits.
import { EventEmitter, once } from "node:events";
import type { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";

import { trace } from "@opentelemetry/api";
import { current } from "@throughline/context";

import { listenerOf } from "./apps.ts";
import { around, instrument } from "./instrument.ts";
import { count, type Counts, record, type ServerSpan, takeServerSpans } from "./recorder.ts";
import { pathOf, setups } from "./setups.ts";

/** The recorded data of one request. */
export interface Seen {
  /** The response status, if there was a response. */
  readonly status: number | undefined;
  readonly spans: readonly ServerSpan[];
  /** The remaining time and the trace id in the handler, after an `await`. */
  readonly remaining: number;
  readonly traceId: string | undefined;
}

/** The output of the program. */
export interface Report {
  readonly answered: Seen;
  readonly late: Seen;
  readonly left: Seen;
  /** The number of `http.server.request.duration` records, by the scope of the meter. */
  readonly durations: Counts;
  /** `throughline.server.requests`, by what ended the request. */
  readonly endings: Counts;
}

const setup = setups[process.argv[2]!]!;
const recording = record();
instrument(setup);

const handling = new EventEmitter();
const listener = await listenerOf(setup, async (id) => {
  await null;
  const ctx = current();
  handling.emit("handling", ctx.remaining(), trace.getSpanContext(ctx)?.traceId);
  if (id === "slow") await setTimeout(10_000, undefined, { signal: ctx.signal });
  return id;
});
// Loaded with `require`, because instrumentations patch it then.
const http = createRequire(import.meta.url)("node:http") as { createServer: typeof createServer };
const server = http.createServer(setup.spanOf === "around" ? around(listener) : listener).listen(0, "127.0.0.1");
await once(server, "listening");
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function request(id: string, timeout: string, isLeaving = false): Promise<Seen> {
  const client = new AbortController();
  const headers = { "grpc-timeout": timeout, traceparent: process.argv[3]! };
  const handled = once(handling, "handling") as Promise<[number, string | undefined]>;
  const reply = fetch(origin + pathOf(id), { headers, signal: client.signal });
  const status = reply.then(
    async (response) => (await response.text(), response.status),
    () => undefined,
  );
  const [remaining, traceId] = await handled;
  if (isLeaving) client.abort();
  return { status: await status, spans: await takeServerSpans(), remaining, traceId };
}

const report: Report = {
  answered: await request("quick", "2S"),
  late: await request("slow", "30m"),
  left: await request("slow", "2S", true),
  durations: await count("http.server.request.duration", "scope"),
  endings: await count("throughline.server.requests", { attribute: "throughline.ended_by" }),
};
console.log(JSON.stringify(report));

server.close();
server.closeAllConnections();
await recording.shutdown();
