import { fork } from "node:child_process";
import { once } from "node:events";

import { SpanKind, trace } from "@opentelemetry/api";
import { background, type Context, createKey, DeadlineExceeded, withTimeout, withValue } from "@throughline/context";
import { propagateValue, ServerDraining, textCodec } from "@throughline/http";
import { type Consumed, Consumers } from "@throughline/messages";
import { sleep } from "@throughline/resilience";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import type { DatabaseServer } from "../support/postgres.ts";
import { recordSpans } from "../support/spans.ts";
import type { Body, Broker, ConsumerOptions } from "./broker.ts";
import { brokers } from "./brokers.ts";

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "messages-tenant-of-brokers", codec: textCodec, maxBytes: 64, as: "header" });

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const request = (): Context =>
  withValue(
    trace.setSpanContext(background, { traceId: TRACE, spanId: "b7ad6b7169203331", traceFlags: 1 }) as Context,
    tenantKey,
    "acme",
  );

interface Run extends Body {
  readonly tenant: string | undefined;
  readonly remaining: number;
  readonly traceId: string | undefined;
}

const missing = brokers.filter((host) => host.missing !== undefined);
for (const host of missing) console.warn(`SKIPPED: messages on ${host.name}: ${host.missing}`);
it.skip.each(missing)("messages on $name: $missing", () => {});
const available = brokers.filter((host) => host.missing === undefined);

describe.each(available)("messages on $name", { timeout: 30_000 }, (host) => {
  let server: DatabaseServer;
  let broker: Broker;
  let queue: string;
  let queues = 0;
  let runs: Run[];
  let consumed: (Consumed<unknown> & Body)[];
  let consumers: Consumers;

  beforeAll(async () => {
    server = await host.startServer();
  }, 90_000);
  afterAll(() => server?.stop());

  async function open(): Promise<void> {
    queue = `queue-${process.pid}-${++queues}`;
    broker = await host.connect(server.url, queue);
    runs = [];
    consumed = [];
    consumers = new Consumers();
  }
  afterEach(async () => {
    await consumers.drain({ shutdownTimeout: 0 });
    await broker.close();
  });

  const consume = (options: ConsumerOptions = {}, work = sleeping): Promise<unknown> =>
    broker.consume(
      async (ctx, body) => {
        const traceId = trace.getSpanContext(ctx)?.traceId;
        runs.push({ ...body, tenant: ctx.value(tenantKey), remaining: ctx.remaining(), traceId });
        return work(ctx, body);
      },
      { consumers, onConsumed: (each, body) => void consumed.push({ ...each, ...body }), ...options },
    );
  const sleeping = async (ctx: Context, { ms }: Body): Promise<unknown> => ms && sleep(ctx, ms);
  const until = (condition: () => unknown, timeout = 15_000): Promise<unknown> =>
    vi.waitUntil(condition, { timeout, interval: 10 });
  const outcomesOf = (wanted: string): string[] =>
    consumed.filter(({ name }) => name === wanted).map(({ disposition }) => disposition);

  it("carries values and the trace from a trusted queue, and no deadline by default", async () => {
    await open();
    const [ctx, cancel] = withTimeout(request(), "1s");
    await broker.publish(ctx, { name: "plain" }, { values: true });
    cancel();
    await consume({ trust: true, relation: "parent" });
    await until(() => consumed.length > 0);

    expect(runs).toMatchObject([{ name: "plain", tenant: "acme", remaining: Infinity, traceId: TRACE }]);
    expect(outcomesOf("plain")).toEqual(["ack"]);
  });

  it("binds no values from a queue that is not trusted, and starts a new trace", async () => {
    await open();
    await broker.publish(request(), { name: "plain" }, { values: true });
    await consume();
    await until(() => consumed.length > 0);

    expect(runs[0]!.tenant).toBeUndefined();
    expect(runs[0]!.traceId).not.toBe(TRACE);
  });

  it("gives the work what is left of an inherited deadline", async () => {
    await open();
    await consume();
    const [ctx, cancel] = withTimeout(request(), "20s");
    const from = Date.now();
    await broker.publish(ctx, { name: "inherited" }, { deadline: "inherit" });
    await until(() => consumed.length > 0);
    const took = Date.now() - from;
    cancel();

    expect(runs[0]!.remaining).toBeLessThan(20_000);
    expect(runs[0]!.remaining).toBeGreaterThan(20_000 - took - 5);
  });

  it("never runs a message whose deadline passed in the queue", async () => {
    await open();
    await broker.publish(request(), { name: "late" }, { within: 50 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await consume();
    await broker.publish(request(), { name: "next" });
    await until(() => outcomesOf("next").length > 0);

    expect(runs.map(({ name }) => name)).toEqual(["next"]);
    // RabbitMQ has dropped it itself.
    expect(outcomesOf("late")).toEqual(host.name === "amqplib" ? [] : ["dead"]);
    if (broker.dead) await vi.waitFor(async () => expect(await broker.dead!()).toEqual(["late"]), { timeout: 5000 });
  });

  it("cuts the work at the deadline of its message, which is dead and not delivered again", async () => {
    await open();
    await consume();
    await broker.publish(request(), { name: "long", ms: 60_000 }, { within: "2s" });
    await until(() => consumed.length > 0);
    if (broker.dead) await vi.waitFor(async () => expect(await broker.dead!()).toEqual(["long"]), { timeout: 5000 });
    await broker.publish(request(), { name: "next" });
    await until(() => outcomesOf("next").length > 0);

    expect(runs.map(({ name }) => name)).toEqual(["long", "next"]);
    expect(consumed[0]).toMatchObject({ disposition: "dead", hasRun: true, error: expect.any(DeadlineExceeded) });
  });

  it("delivers a message again whose work ran into the limit of the consumer", async () => {
    await open();
    const work = (ctx: Context): Promise<unknown> => (runs.length === 1 ? sleep(ctx, "1m") : Promise.resolve());
    await consume({ maxTimeout: 100 }, work);
    await broker.publish(request(), { name: "slow" });
    await until(() => consumed.length > 1);

    expect(outcomesOf("slow")).toEqual(["retry", "ack"]);
  });

  it("delivers a message again whose work failed, until its attempts are used up", async () => {
    await open();
    const work = (): Promise<unknown> => Promise.reject(new Error("a bug"));
    await consume({}, work);
    await broker.publish(request(), { name: "failing" });
    // The backoff of graphile-worker grows exponentially.
    const attempts = host.name === "graphile-worker" ? 2 : 5;
    await until(() => consumed.length >= attempts);
    await new Promise((resolve) => setTimeout(resolve, 300));

    expect(outcomesOf("failing")).toEqual(Array.from({ length: attempts }, () => "retry"));
  });

  it("hands a message back at a drain, after which nothing more runs on this consumer", async () => {
    await open();
    await consume();
    await broker.publish(request(), { name: "drained", ms: 60_000 });
    await until(() => runs.length > 0);
    await consumers.drain({ shutdownTimeout: 100 });
    const [first, ...others] = consumed;
    expect(first).toMatchObject({ name: "drained", disposition: "requeue", hasRun: true });
    // A request for messages that was under way at the drain may receive it again, and hands it back too.
    expect(others.filter(({ disposition, hasRun }) => disposition !== "requeue" || hasRun)).toEqual([]);
    expect(first!.error).toMatchObject({ cause: expect.any(ServerDraining) });
    if (broker.waiting) await vi.waitFor(async () => expect(await broker.waiting!()).toBe(1), { timeout: 5000 });

    const other = await host.connect(server.url, queue);
    await other.publish(request(), { name: "later" });
    const seen: string[] = [];
    const otherConsumers = new Consumers();
    await other.consume(async (_ctx, body) => void seen.push(body.name), { consumers: otherConsumers });
    await until(() => seen.length > 1);
    expect(seen.toSorted()).toEqual(["drained", "later"]);
    expect(runs).toHaveLength(1);
    await otherConsumers.drain({ shutdownTimeout: "1s" });
    await other.close();
  });

  it("waits at a drain for the work that has begun, until it is acknowledged", async () => {
    await open();
    await consume();
    await broker.publish(request(), { name: "begun", ms: 300 });
    await until(() => runs.length > 0);
    await consumers.drain({ shutdownTimeout: "10s" });

    expect(outcomesOf("begun")).toEqual(["ack"]);
    expect((await broker.dead?.()) ?? []).toEqual([]);
  });

  it.skipIf(["nats", "graphile-worker"].includes(host.name))("ends the work if the broker takes it away", async () => {
    await open();
    await consume();
    await broker.publish(request(), { name: "taken", ms: 60_000 });
    await until(() => runs.length > 0);
    await broker.takeAway!();
    await until(() => consumed.length > 0);

    expect(consumed[0]).toMatchObject({ disposition: "retry", hasRun: true });
  });

  it("does not publish under a context that has ended", async () => {
    await open();
    const [ctx, cancel] = withTimeout(request(), "1m");
    cancel();
    await consume();

    expect(await broker.publish(ctx, { name: "ended" }).catch((error: unknown) => error)).toBe(ctx.err());
    await broker.publish(request(), { name: "next" });
    await until(() => consumed.length > 0);
    expect(runs.map(({ name }) => name)).toEqual(["next"]);
  });

  /** A consumer in a process of its own, and what it has reported. */
  interface ConsumerProcess {
    readonly began: string[];
    readonly acknowledged: Set<string>;
    kill(): Promise<void>;
  }
  const processes: ConsumerProcess[] = [];
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.kill();
  });

  async function startProcess(): Promise<ConsumerProcess> {
    const args = [host.name, server.url, queue];
    const child = fork(new URL("consumer.ts", import.meta.url), args, { execArgv: STRIP });
    const began: string[] = [];
    const acknowledged = new Set<string>();
    child.on("message", (message: { began?: string; ended?: string; disposition?: string }) => {
      if (message.began !== undefined) began.push(message.began);
      if (message.disposition === "ack") acknowledged.add(message.ended!);
    });
    const exited = once(child, "exit");
    const kill = async (): Promise<void> => {
      child.kill("SIGKILL");
      await exited;
    };
    processes.push({ began, acknowledged, kill });
    await once(child, "message");
    return processes.at(-1)!;
  }

  /** Waits while the server delivers the messages of killed processes again. */
  async function untilRecovered(condition: () => unknown): Promise<void> {
    const recovering = setInterval(() => void broker.recover?.(), 500);
    await until(condition, 25_000).finally(() => clearInterval(recovering));
  }

  it("delivers messages again after SIGKILL of their consumer, and loses none", async () => {
    await open();
    const names = Array.from({ length: 20 }, (_, index) => `message ${index}`);
    for (const each of names) await broker.publish(request(), { name: each, ms: 200 });
    const first = await startProcess();
    await until(() => first.began.length > 0);
    await first.kill();
    const interrupted = first.began.filter((each) => !first.acknowledged.has(each));
    expect(interrupted).not.toEqual([]);

    const second = await startProcess();
    const missed = (): string[] =>
      names.filter((each) => !first.acknowledged.has(each) && !second.acknowledged.has(each));
    await untilRecovered(() => missed().length === 0);
    expect(second.began).toEqual(expect.arrayContaining(interrupted));
  });

  it("does not run a message again whose deadline passed after SIGKILL of its consumer", async () => {
    await open();
    const first = await startProcess();
    const deadline = Date.now() + 2000;
    await broker.publish(request(), { name: "late", ms: 60_000 }, { within: deadline - Date.now() });
    await until(() => first.began.length > 0);
    await first.kill();
    await until(() => Date.now() > deadline);

    const second = await startProcess();
    await broker.publish(request(), { name: "next" });
    let dead: readonly string[] = [];
    await untilRecovered(async () => {
      dead = await broker.dead!();
      return dead.length > 0 && second.acknowledged.has("next");
    });
    expect([first.began, second.began]).toEqual([["late"], ["next"]]);
    // NATS 2.9 may deliver it twice at once: each delivery is refused.
    expect([...new Set(dead)]).toEqual(["late"]);
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("makes a PRODUCER span, to which the CONSUMER span is linked", async () => {
      await open();
      await consume();
      await broker.publish(request(), { name: "traced" });
      await until(() => consumed.length > 0);
      const isEnded = (wanted: SpanKind): boolean => spans.ended().some(({ kind }) => kind === wanted);
      await until(() => isEnded(SpanKind.PRODUCER) && isEnded(SpanKind.CONSUMER));
      const ended = spans.ended();
      const sent = ended.find(({ kind }) => kind === SpanKind.PRODUCER)!;
      const processed = ended.find(({ kind }) => kind === SpanKind.CONSUMER)!;

      expect(ended.filter(({ kind }) => kind === SpanKind.PRODUCER || kind === SpanKind.CONSUMER)).toHaveLength(2);
      expect(sent).toMatchObject({ name: `send ${queue}` });
      expect(sent.spanContext().traceId).toBe(TRACE);
      expect(sent.attributes).toMatchObject({
        "messaging.system": host.system,
        "messaging.destination.name": queue,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
      });
      expect(processed).toMatchObject({ name: `process ${queue}` });
      const sender = host.tracesItself ? request() : trace.setSpanContext(background, sent.spanContext());
      expect(processed.links[0]!.context.spanId).toBe(trace.getSpanContext(sender)!.spanId);
    });

    it.skipIf(host.tracesItself)("makes no PRODUCER span if an instrumentation has wrapped the client", async () => {
      await open();
      const { target, method } = broker.wrappable;
      const original = Reflect.get(target, method) as (...args: unknown[]) => unknown;
      const wrapped = (...args: unknown[]): unknown => Reflect.apply(original, target, args);
      Object.defineProperty(target, method, { value: Object.assign(wrapped, { __wrapped: true }), configurable: true });
      await broker.publish(request(), { name: "traced" });
      await consume();
      await until(() => consumed.length > 0);

      expect((await spans.take(1)).map(({ kind }) => kind)).toEqual([SpanKind.CONSUMER]);
    });
  });
});

/** Node 22.15 strips types only if it is asked to. */
const STRIP = process.features.typescript
  ? []
  : ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"];
