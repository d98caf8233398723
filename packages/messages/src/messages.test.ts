import { SpanKind, trace } from "@opentelemetry/api";
import {
  background,
  createKey,
  current,
  DeadlineExceeded,
  run,
  traceId,
  withCancel,
  withTimeout,
  withValue,
} from "@throughline/context";
import { criticality, propagateValue, ServerDraining, textCodec, withCriticality } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { consume, Consumers, detach, envelope, every, job } from "./index.ts";

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "messages-tenant", codec: textCodec, maxBytes: 64, as: "header" });

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const traced = (): ReturnType<typeof withCancel>[0] =>
  trace.setSpanContext(background, {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
  }) as ReturnType<typeof withCancel>[0];

describe("envelope", () => {
  it("carries the trace and the criticality, and neither a deadline nor values", () => {
    const ctx = withValue(withCriticality(withTimeout(traced(), "2s")[0], "critical"), tenantKey, "acme");
    const { headers, ttl } = envelope(ctx);

    expect(headers).toEqual({
      traceparent: expect.stringMatching(/^00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0[13]$/),
      "throughline-criticality": "critical",
    });
    expect(ttl).toBeUndefined();
  });

  it("carries propagated values if it is asked to", () => {
    expect(envelope(withValue(background, tenantKey, "acme"), { values: true }).headers).toMatchObject({
      "messages-tenant": "acme",
    });
  });

  it.each<[object, number, number]>([
    [{ deadline: "inherit" }, 1500, 2000],
    [{ within: "10m" }, 599_000, 600_000],
    [{ deadline: "inherit", within: "1s" }, 500, 1000],
  ])("with %j has an absolute deadline, and a time to live", (options, least, most) => {
    const { headers, ttl } = envelope(withTimeout(background, "2s")[0], options);
    const left = Number(headers["throughline-deadline"]) - Date.now();

    expect(left).toBeGreaterThan(least);
    expect(left).toBeLessThanOrEqual(most);
    expect(Number.isInteger(ttl) && ttl! > least && ttl! <= most).toBe(true);
  });

  it("is not made for a context that has ended, if its deadline is inherited", () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    expect(() => envelope(ctx, { deadline: "inherit" })).toThrow(ctx.err());
    expect(() => envelope(ctx)).not.toThrow();
  });

  it.each<[object, RegExp]>([
    [{ deadline: "soon" }, /'deadline' must be one of "none", "inherit"/],
    [{ within: "soon" }, /'within' must be/],
    [{ ttl: 5 }, /there is no option 'ttl'/],
  ])("refuses %j", (options, message) => {
    expect(() => envelope(background, options as never)).toThrow(message);
  });
});

describe("consume", () => {
  it("runs the work in a context of its own, not in that which is current", async () => {
    const [request] = withTimeout(background, "1h");
    const consumed = await run(request, () => consume({}, (ctx) => [current() === ctx, ctx.remaining()]));

    expect(consumed).toEqual({ disposition: "ack", value: [true, Infinity], hasRun: true });
  });

  it("binds values and criticality only from a queue that is trusted", async () => {
    const { headers } = envelope(withValue(withCriticality(background, "critical"), tenantKey, "acme"), {
      values: true,
    });
    const read = (): unknown => [current().value(tenantKey), criticality()];

    expect((await consume(headers, read, { trust: true })).value).toEqual(["acme", "critical"]);
    expect((await consume(headers, read)).value).toEqual([undefined, "default"]);
  });

  it("reads headers that are bytes, in any case", async () => {
    const headers = { Traceparent: Buffer.from(PARENT) };
    expect((await consume(headers, () => traceId(), { relation: "parent" })).value).toBe(
      "0af7651916cd43dd8448eb211c80319c",
    );
  });

  it("does not run a message whose deadline has passed: it is dead", async () => {
    const work = vi.fn();
    const consumed = await consume({ "throughline-deadline": String(Date.now() - 1) }, work);

    expect(consumed).toMatchObject({ disposition: "dead", hasRun: false, error: expect.any(DeadlineExceeded) });
    expect(work).not.toHaveBeenCalled();
  });

  it.each<[string, object, object, string]>([
    ["its own deadline", { "throughline-deadline": "soon" }, {}, "dead"],
    ["the limit of the consumer", {}, { maxTimeout: 20 }, "retry"],
    ["a signal of the broker", {}, { signals: [undefined] }, "retry"],
  ])("that is ended by %s rejects in the work", async (_what, headers, given, disposition) => {
    const options = "signals" in given ? { signals: [undefined, AbortSignal.timeout(20)] } : given;
    const sent = "throughline-deadline" in headers ? { "throughline-deadline": String(Date.now() + 20) } : {};
    const consumed = await consume(sent, (ctx) => sleep(ctx, "10s"), options);

    expect(consumed).toMatchObject({ disposition, hasRun: true });
  });

  it("that fails of itself is tried again", async () => {
    const bug = new Error("a bug");
    expect(await consume({}, () => Promise.reject(bug))).toEqual({ disposition: "retry", error: bug, hasRun: true });
  });

  it("is given back by a drain, which waits for what has begun", async () => {
    const consumers = new Consumers();
    const [quick, slow] = [20, 10_000].map((ms) => consume({}, (ctx) => sleep(ctx, ms), { consumers }));
    const drained = consumers.drain({ shutdownTimeout: 100 });
    expect(consumers.active).toBe(2);
    await drained;

    expect(await quick).toMatchObject({ disposition: "ack" });
    expect(await slow).toMatchObject({ disposition: "requeue", hasRun: true });
    expect((await slow!).error).toMatchObject({ cause: expect.any(ServerDraining) });
    expect(await consume({}, () => "never", { consumers })).toMatchObject({ disposition: "requeue", hasRun: false });
    expect(consumers.active).toBe(0);
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("makes a CONSUMER span that is linked to the sender, or its child", async () => {
      const options = { system: "rabbitmq", destination: "orders" };
      await consume({ traceparent: PARENT }, () => {}, options);
      await consume({ traceparent: PARENT }, () => {}, { ...options, relation: "parent" });
      const [linked, child] = await spans.take(2);

      expect(linked).toMatchObject({ name: "process orders", kind: SpanKind.CONSUMER });
      expect(linked!.links[0]!.context.spanId).toBe("b7ad6b7169203331");
      expect(linked!.spanContext().traceId).not.toBe("0af7651916cd43dd8448eb211c80319c");
      expect(linked!.attributes).toMatchObject({
        "messaging.system": "rabbitmq",
        "messaging.destination.name": "orders",
        "messaging.operation.type": "process",
      });
      expect([child!.spanContext().traceId, child!.links]).toEqual(["0af7651916cd43dd8448eb211c80319c", []]);
    });

    it("makes none inside of one that an instrumentation has made, which is that of the work", async () => {
      const theirs = trace.getTracer("theirs").startSpan("orders process", { kind: SpanKind.CONSUMER });
      const { value } = await run(trace.setSpan(background, theirs) as never, () =>
        consume({ traceparent: PARENT }, () => trace.getActiveSpan(), { system: "kafka" }),
      );
      theirs.end();
      const ended = await spans.take(1);

      expect(value).toBe(theirs);
      expect(ended.map(({ name }) => name)).toEqual(["orders process"]);
      expect(ended[0]!.links.map(({ context }) => context.spanId)).toEqual(["b7ad6b7169203331"]);
    });
  });
});

describe("detach", () => {
  it("goes on after the end of its request, with its values, until its own limit", async () => {
    const [request, cancel] = withTimeout(withValue(background, tenantKey, "acme"), "1s");
    const seen = Promise.withResolvers<unknown>();
    const failed = Promise.withResolvers<unknown>();
    detach(request, { within: 30, onError: failed.resolve }, async (ctx) => {
      await sleep(ctx, 5);
      seen.resolve([current() === ctx, ctx.value(tenantKey), ctx.remaining() <= 30]);
      await sleep(ctx, "10s");
    });
    cancel();

    expect(await seen.promise).toEqual([true, "acme", true]);
    expect(await failed.promise).toBeInstanceOf(DeadlineExceeded);
  });

  it("warns of an error, and is waited for by a drain, which cancels it at last", async () => {
    const consumers = new Consumers();
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    detach(background, { within: "1h", consumers }, (ctx) => sleep(ctx, "10s"));
    await consumers.drain({ shutdownTimeout: 20 });

    expect(consumers.active).toBe(0);
    expect(warned.mock.calls[0]![0]).toMatchObject({ cause: expect.any(ServerDraining) });
    warned.mockRestore();
  });
});

describe("every", () => {
  beforeEach(
    () =>
      void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "performance"] }),
  );
  afterEach(() => void vi.useRealTimers());

  it("runs in contexts of its own, also if a request has scheduled it", async () => {
    const [request, cancel] = withCancel(background);
    const ends: unknown[] = [];
    const stop = run(request, () => every("1s", {}, (ctx) => void ends.push([ctx.err(), current() === ctx])));
    cancel();
    await vi.advanceTimersByTimeAsync(2500);
    stop();
    await vi.advanceTimersByTimeAsync(5000);

    expect(ends).toEqual([
      [undefined, true],
      [undefined, true],
    ]);
  });

  it("does not overlap, and cuts a run at its limit", async () => {
    let running = 0;
    let most = 0;
    const errors: unknown[] = [];
    using _ = every("1s", { within: "2500ms", onError: (error) => void errors.push(error) }, async (ctx) => {
      most = Math.max(most, ++running);
      await sleep(ctx, "1h").finally(() => (running -= 1));
    });
    await vi.advanceTimersByTimeAsync(8000);

    expect(most).toBe(1);
    expect(errors).toHaveLength(2);
    expect(errors[0]).toBeInstanceOf(DeadlineExceeded);
  });

  it("is ended by a drain", async () => {
    const consumers = new Consumers();
    const work = vi.fn();
    every("1s", { consumers }, work);
    await vi.advanceTimersByTimeAsync(1000);
    await consumers.drain({ shutdownTimeout: 0 });
    await vi.advanceTimersByTimeAsync(5000);

    expect(work).toHaveBeenCalledOnce();
  });

  it("begins no run after a drain has begun, although another one is still under way", async () => {
    const consumers = new Consumers();
    const quick = vi.fn();
    every("1s", { consumers }, quick);
    const quickJob = job({ within: "1s", consumers }, quick);
    const slowJob = job({ within: "1h", consumers, onError: () => {} }, (ctx) => sleep(ctx, "1h"));
    void slowJob();
    const drained = consumers.drain({ shutdownTimeout: "10s" });
    await vi.advanceTimersByTimeAsync(5000);
    await quickJob();
    expect(consumers.active).toBe(1);
    expect(quick).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(6000);
    await drained;
    expect(consumers.active).toBe(0);
  });

  it.each<[() => unknown, RegExp]>([
    [() => every(0, {}, () => {}), /'interval' must be at least 1 ms/],
    [() => every("1s", { witin: 5 } as never, () => {}), /Cannot schedule work: .*there is no option 'witin'/],
    [() => job({} as never, () => {}), /Cannot make a job: 'within' must be/],
    [() => job({ within: "1s", name: 5 as never }, () => {}), /'name' must be a string/],
    [() => detach(background, {} as never, () => {}), /'within' must be/],
  ])("refuses what is wrong: %s", (call, message) => {
    expect(call).toThrow(message);
  });
});

describe("job", () => {
  it("runs in a context of its own, also if it is called in a request, and not twice at once", async () => {
    const [request, cancel] = withCancel(withValue(traced(), tenantKey, "acme"));
    const gate = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    const runOnce = job({ within: "5s" }, async (ctx) => {
      seen.push([current() === ctx, ctx.value(tenantKey), traceId(ctx) === traceId(request), ctx.remaining() > 4000]);
      await gate.promise;
    });
    const first = run(request, () => runOnce());
    cancel();
    await run(request, () => runOnce());
    expect(seen).toEqual([[true, undefined, false, true]]);

    gate.resolve();
    await first;
    await runOnce();
    expect(seen).toHaveLength(2);
  });

  it("cuts a run at its limit, and reports errors without rejecting", async () => {
    const errors: unknown[] = [];
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const onError = (error: unknown): void => {
      errors.push(error);
      throw new Error("a bug in onError");
    };
    await job({ within: 10, onError }, (ctx) => sleep(ctx, "1h"))();
    await job({ within: "1s", onError }, () => {
      throw new RangeError("a bug");
    })();
    expect(errors).toEqual([expect.any(DeadlineExceeded), expect.any(RangeError)]);
    expect((errors[0] as DeadlineExceeded).source).toBe("job");
    expect(warned.mock.calls.map(([error]) => (error as Error).message)).toEqual([
      "a bug in onError",
      "a bug in onError",
    ]);
    warned.mockRestore();
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("makes a span that begins a trace for each run, if it has a name", async () => {
      const runOnce = job({ within: "1s", name: "nightly report" }, (ctx) =>
        trace.getTracer("test").startSpan("inside", {}, ctx).end(),
      );
      await run(traced(), () => runOnce());
      await run(traced(), () => runOnce());
      const ended = await spans.take(4);
      const [first, second] = ended.filter(({ name }) => name === "nightly report");
      expect(first!.parentSpanContext).toBeUndefined();
      expect(new Set([first, second].map((span) => span!.spanContext().traceId)).size).toBe(2);
      expect(first!.spanContext().traceId).not.toBe(traceId(traced()));
      expect(ended.find(({ name }) => name === "inside")!.parentSpanContext!.spanId).toBe(first!.spanContext().spanId);
    });

    it("marks the span of a run that fails", async () => {
      await job({ within: "1s", name: "failing", onError: () => {} }, () => Promise.reject(new Error("a bug")))();
      expect(await spans.take(1)).toMatchObject([{ name: "failing", status: { message: "a bug" } }]);
    });
  });
});
