import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

import {
  context,
  type Context as OtelContext,
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  CompositePropagator,
  suppressTracing,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import {
  background,
  type Context,
  current,
  isContext,
  withCancel,
  withDeadline,
  withTimeout,
} from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { requestContext } from "../node/request-context.ts";
import type { ServerOptions } from "../server/server-options.ts";
import { clientSettings } from "./client-options.ts";
import { DeadlinePropagator } from "./deadline-propagator.ts";
import { OutboundCall } from "./outbound-call.ts";
import { outboundHeaders } from "./outbound-headers.ts";

const NOW = Date.UTC(2030, 0, 1);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "Date"], now: NOW });
});

afterEach(() => {
  for (const api of [propagation, context, trace]) api.disable();
  vi.useRealTimers();
});

/** Sets up the default propagators and these. */
function use(...propagators: DeadlinePropagator[]): void {
  const all = [new W3CTraceContextPropagator(), new W3CBaggagePropagator(), ...propagators];
  propagation.setGlobalPropagator(new CompositePropagator({ propagators: all }));
}

const spanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };

function injected(ctx: OtelContext): Record<string, string> {
  const carrier: Record<string, string> = {};
  propagation.inject(ctx, carrier);
  return carrier;
}

function extracted(carrier: object, ctx: OtelContext = ROOT_CONTEXT): Context {
  return propagation.extract(ctx, carrier) as Context;
}

describe("for requests", () => {
  beforeEach(() => use(new DeadlinePropagator()));

  it("injects the remaining time beside the trace", () => {
    const [ctx] = withTimeout(trace.setSpanContext(background, spanContext), 1500);
    vi.advanceTimersByTime(20);
    expect(injected(ctx)).toEqual({
      "grpc-timeout": "1480m",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
  });

  it("injects 1 ms after the deadline", () => {
    const [ctx] = withTimeout(background, 10);
    vi.advanceTimersByTime(20);
    expect(injected(ctx)).toEqual({ "grpc-timeout": "1m" });
  });

  it.each([
    ["without a deadline", withCancel(background)[0]],
    ["that is not a Context", ROOT_CONTEXT],
    ["under suppressed tracing", suppressTracing(withTimeout(background, 3_600_000)[0])],
  ])("injects nothing from a context %s", (_name, ctx) => {
    expect(injected(ctx)).toEqual({});
  });

  it("extracts the deadline into a Context beside the trace", () => {
    const ctx = extracted({
      "grpc-timeout": "1500m",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    expect(isContext(ctx)).toBe(true);
    expect(ctx.remaining()).toBe(1500);
    expect(deadlineDetails(ctx)?.source).toBe("grpc-timeout header");
    expect(trace.getSpanContext(ctx)?.traceId).toBe(spanContext.traceId);
    vi.advanceTimersByTime(1500);
    expect(ctx.err()?.name).toBe("TimeoutError");
  });

  it("extracts nothing under suppressed tracing", () => {
    expect(isContext(extracted({ "grpc-timeout": "1m" }, suppressTracing(ROOT_CONTEXT)))).toBe(false);
  });

  it("returns its header as a field", () => {
    expect(new DeadlinePropagator().fields()).toEqual(["grpc-timeout"]);
    expect(propagation.fields()).toEqual(["traceparent", "tracestate", "baggage", "grpc-timeout"]);
  });
});

describe("for messages", () => {
  beforeEach(() => use(new DeadlinePropagator({ carrier: "message" })));

  it("injects a point in time, so that the time in the queue counts", () => {
    const message = injected(withTimeout(background, 1500)[0]);
    expect(message).toEqual({ "throughline-deadline": String(NOW + 1500) });
    vi.advanceTimersByTime(1000);
    expect(extracted(message).remaining()).toBe(500);
  });

  it("injects a passed deadline, and extracts it into a context that has ended", () => {
    const [ctx] = withTimeout(background, 10);
    vi.advanceTimersByTime(20);
    const message = injected(ctx);
    expect(message).toEqual({ "throughline-deadline": String(NOW + 10) });
    expect(extracted(message).err()?.name).toBe("TimeoutError");
  });

  it("rounds down to the millisecond", () => {
    expect(injected(withDeadline(background, NOW + 1500.9)[0])).toEqual({ "throughline-deadline": String(NOW + 1500) });
  });

  it.each([
    ["a string", String(NOW + 1500)],
    ["bytes, as in kafkajs and amqplib", Buffer.from(String(NOW + 1500))],
    ["a view of a larger buffer", Buffer.from(`1${NOW + 1500}2`).subarray(1, -1)],
    ["an array of one element", [Buffer.from(String(NOW + 1500))]],
  ])("extracts %s", (_name, value) => {
    expect(extracted({ "throughline-deadline": value }).remaining()).toBe(1500);
  });

  it.each([
    "",
    "soon",
    "-1",
    "1e3",
    "1.5",
    " 1",
    "9".repeat(16),
    "1".repeat(17),
    ["1", "2"],
    1,
    null,
    Buffer.from([0xff]),
  ])("ignores %j", (value) => {
    // Calls the propagator directly, because a composite propagator catches errors.
    const propagator = new DeadlinePropagator({ carrier: "message" });
    expect(propagator.extract(ROOT_CONTEXT, { "throughline-deadline": value }, defaultTextMapGetter)).toBe(
      ROOT_CONTEXT,
    );
  });

  it("returns its header as a field", () => {
    expect(propagation.fields()).toContain("throughline-deadline");
    expect(propagation.fields()).not.toContain("grpc-timeout");
  });
});

describe.each([
  ["request", (ms: number) => ({ "grpc-timeout": `${ms}m` })],
  ["message", (ms: number) => ({ "throughline-deadline": String(NOW + ms) })],
] as const)("an extracted deadline of a %s", (carrier, headers) => {
  const propagator = new DeadlinePropagator({ carrier, maxTimeout: "1s" });
  const extract = (ms: number, ctx: OtelContext): Context =>
    propagator.extract(ctx, headers(ms), defaultTextMapGetter) as Context;

  it("is never later than the deadline of the context", () => {
    const [ctx] = withTimeout(background, 300);
    expect(extract(500, ctx).remaining()).toBe(300);
    expect(extract(200, ctx).remaining()).toBe(200);
  });

  it("is limited by maxTimeout", () => {
    expect(extract(999, ROOT_CONTEXT).remaining()).toBe(999);
    expect(extract(5000, ROOT_CONTEXT).remaining()).toBe(1000);
  });

  it("keeps the values and the cancellation of the parent context", () => {
    const key = Symbol.for("tenant");
    expect(extract(200, ROOT_CONTEXT.setValue(key, "acme")).getValue(key)).toBe("acme");
    const [ctx, cancel] = withCancel(background);
    const derived = extract(200, ctx);
    cancel();
    expect(derived.err()?.name).toBe("AbortError");
  });
});

describe("with the clients and servers of this library", () => {
  beforeEach(() => {
    vi.useRealTimers();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    use(new DeadlinePropagator(), new DeadlinePropagator({ carrier: "message" }));
  });

  it("does not change the deadline header of the client", () => {
    trace.setGlobalTracerProvider(
      new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: new InMemorySpanExporter() })] }),
    );
    const [ctx] = withTimeout(background, "1h");
    expect(outboundHeaders(ctx, "http://127.0.0.1:1", { send: { deadline: "nowhere" } })).toEqual({});
    const settings = clientSettings({ margin: 60_000 }, "call");
    const request = { method: "GET", url: new URL("http://127.0.0.1:1"), attempt: 1, isTracedElsewhere: false };
    const call = OutboundCall.begin(ctx, request, settings, "deferred");
    call.startSpan();
    expect(call.headers).toEqual([
      ["grpc-timeout", expect.stringMatching(/^35[34]\d{4}m$/)],
      ["traceparent", expect.anything()],
    ]);
    // As an instrumentation of the HTTP client does.
    const added: Record<string, string> = {};
    new DeadlinePropagator().inject(call.ctx, added, defaultTextMapSetter);
    expect(added).toEqual({});
    call.end();
  });

  /** Sends a request with 10 s left and returns what the handler returns. */
  async function served<T>(options: ServerOptions, handler: () => T): Promise<T | undefined> {
    let result: T | undefined;
    const listener = requestContext((_req, res) => {
      result = handler();
      res.end();
    }, options);
    const server = http.createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await fetch(`http://127.0.0.1:${port}`, { headers: { "grpc-timeout": "10S" } });
    server.close();
    return result;
  }

  it.each(["observe", "enforce"] as const)("does not change the deadline of a server in mode %s", async (mode) => {
    expect(await served({ mode, deadlineHeaders: [] }, () => current().remaining())).toBe(Infinity);
  });

  it("injects the downstream deadline of a server in mode propagate", async () => {
    const headers = await served({ mode: "propagate" }, () => injected(current()));
    expect(headers).toMatchObject({ "grpc-timeout": expect.stringMatching(/^9\d{3}m$/) });
  });
});

it.each([
  [{ carrier: "queue" }, `Cannot create a deadline propagator: 'carrier' must be one of "request", "message"`],
  [{ maxTimeout: "soon" }, "Cannot create a deadline propagator: 'maxTimeout' must be"],
  [{ header: "x" }, "Cannot create a deadline propagator: there is no option 'header'"],
])("rejects the options %j", (options, message) => {
  expect(() => new DeadlinePropagator(options as never)).toThrow(message);
});
