import { type ChildProcess, fork } from "node:child_process";
import cluster from "node:cluster";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";

import { propagation, trace } from "@opentelemetry/api";
import {
  background,
  Canceled,
  type Context,
  createKey,
  DeadlineExceeded,
  run,
  TraceContextPropagator,
  traceId,
  withCancel,
  withTimeout,
  withValue,
} from "@throughline/context";
import { armedDeadlines } from "@throughline/context/internal";
import {
  ClientDisconnected,
  criticality,
  propagateValue,
  ServerDraining,
  textCodec,
  withCriticality,
} from "@throughline/http";
import { Piscina } from "piscina";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { fromWire, linkCancel, receive, type ReceivingPort, type SendingPort, toWire, type Wire } from "./wire.ts";

const FIXTURE = new URL("wire.fixture.mjs", import.meta.url);
const TASK = new URL("piscina.fixture.mjs", import.meta.url).href;

const tenant = createKey<string>("tenant");
propagateValue(tenant, { name: "wire-tenant", codec: textCodec, maxBytes: 64 });
const basket = createKey<{ items: number }>("basket");

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

/** A context as that of a request: with a trace, values and a criticality. */
function requestLike(): Context {
  const caller = { traceId: TRACE_ID, spanId: "b7ad6b7169203331", traceFlags: 1, isRemote: true };
  const ctx = trace.setSpanContext(background, caller) as Context;
  return withCriticality(withValue(withValue(ctx, tenant, "acme"), basket, { items: 2 }), "critical");
}

interface Answer {
  readonly id?: number;
  readonly began?: boolean;
  readonly code?: string;
  readonly took?: number;
  readonly off?: number;
  readonly [name: string]: unknown;
}

/** A worker, and the messages that it sends. */
interface Peer {
  readonly port: SendingPort & ReceivingPort;
  post(message: object): void;
  stop(): Promise<unknown>;
}

const peers: Record<string, () => Peer> = {
  "a worker thread": () => {
    const worker = new Worker(FIXTURE);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- workers have no target origin
    return { port: worker, post: (message) => worker.postMessage(message), stop: () => worker.terminate() };
  },
  "a child process": () => processPeer(fork(fileURLToPath(FIXTURE), { execArgv: [] })),
  "a child process with serialization: advanced": () =>
    processPeer(fork(fileURLToPath(FIXTURE), { execArgv: [], serialization: "advanced" })),
  "a worker of a cluster": () => {
    cluster.setupPrimary({ exec: fileURLToPath(FIXTURE), execArgv: [] });
    const worker = cluster.fork();
    return {
      port: worker as unknown as SendingPort & ReceivingPort,
      post: (message) => worker.send(message),
      stop() {
        worker.process.kill();
        return once(worker, "exit");
      },
    };
  },
};

function processPeer(child: ChildProcess): Peer {
  return {
    port: child,
    post: (message) => child.send(message),
    stop() {
      child.kill();
      return once(child, "exit");
    },
  };
}

describe.each(Object.entries(peers))("%s", (_name, start) => {
  let peer: Peer;
  let answers: Answer[] = [];
  const errors: unknown[] = [];
  let ids = 0;
  beforeAll(async () => {
    peer = start();
    (peer.port as unknown as EventEmitter).on("error", (error) => errors.push(error));
    peer.port.on("message", (message) => answers.push(message as Answer));
    await vi.waitUntil(() => answers.length === 1, { timeout: 10_000 });
  });
  afterEach(() => expect(errors).toEqual([]));
  afterAll(() => peer.stop());

  /** Sends work, and returns its answer. `begun` is called when it has begun. */
  async function ask(ctx: Context, work: object, begun?: () => void): Promise<Answer> {
    const id = (ids += 1);
    answers = [];
    const wire = toWire(ctx, { keys: [basket] });
    const stop = linkCancel(ctx, peer.port, wire);
    peer.post({ id, wire, ...work });
    await vi.waitUntil(() => answers.some((each) => each.id === id && each.began));
    begun?.();
    await vi.waitUntil(() => answers.some((each) => each.id === id && !each.began), { interval: 1 });
    stop();
    return answers.find((each) => each.id === id && !each.began)!;
  }

  it("receives values, criticality and trace", async () => {
    expect(await ask(requestLike(), { ms: 1 })).toMatchObject({
      isCurrent: true,
      traceId: TRACE_ID,
      criticality: "critical",
      tenant: "acme",
      basket: { items: 2 },
    });
  });

  it("ends work at the deadline of the sender, which is the same to some milliseconds", async () => {
    const [ctx] = withTimeout(background, 150);
    const answer = await ask(ctx, { ms: 60_000 });

    expect(answer).toMatchObject({ code: "DEADLINE_EXCEEDED", status: 504 });
    expect(Math.abs(answer.off!)).toBeLessThan(5);
    expect(answer.took).toBeLessThan(5000);
    expect(ctx.remaining()).toBeLessThan(5);
  });

  it.each([
    [new ClientDisconnected(), "ClientDisconnected", 499],
    [new ServerDraining(), "ServerDraining", 503],
    [new RangeError("too many"), "RangeError", 499],
    [undefined, undefined, 499],
  ])("ends work when the sender cancels with %s", async (cause, name, status) => {
    const [ctx, cancel] = withTimeout(background, "1h");
    const answer = await ask(ctx, { ms: 60_000, ignores: true }, () => cancel(cause));

    expect(answer).toMatchObject({ code: "ABORT_ERR", status });
    expect(answer["cause"]).toBe(name);
    expect(answer.took).toBeLessThan(5000);
  });

  it("cancels one of several", async () => {
    const cancels = [1, 2, 3].map((id) => {
      const [ctx, cancel] = withCancel(background);
      const wire = toWire(ctx);
      linkCancel(ctx, peer.port, wire);
      peer.post({ id: id * 1000, wire, ms: 300 });
      return cancel;
    });
    const done = (): Answer[] => answers.filter(({ id, began }) => id! >= 1000 && !began);
    await vi.waitUntil(() => answers.filter(({ id, began }) => id! >= 1000 && began).length === 3);
    cancels[1]!();
    await vi.waitUntil(() => done().length === 3);

    expect(Object.fromEntries(done().map(({ id, code }) => [id, code]))).toEqual({
      1000: undefined,
      2000: "ABORT_ERR",
      3000: undefined,
    });
  });

  it("drops a message that arrives after its deadline, and receives messages without a wire", async () => {
    answers = [];
    const wire = { ...toWire(background), deadline: Date.now() - 1 };
    peer.post({ id: -1, wire, ms: 1 });
    peer.post({ id: -2, ms: 1 });
    await vi.waitUntil(() => answers.length === 2);

    expect(answers.map(({ id }) => id)).toEqual([-2, -2]);
  });
});

it("a channel that is closed makes no error when the sender cancels", async () => {
  const child = fork(fileURLToPath(FIXTURE), { execArgv: [] });
  const error = vi.fn<(error: Error) => void>();
  child.on("error", error);
  await once(child, "message");
  child.disconnect();
  const [ctx, cancel] = withCancel(background);
  linkCancel(ctx, child, toWire(ctx));
  cancel();
  await once(child, "exit");

  expect(error).not.toHaveBeenCalled();
});

describe("Piscina", () => {
  const pool = new Piscina({ filename: TASK, minThreads: 1, maxThreads: 1 });
  beforeAll(() => pool.run({ wire: toWire(background), ms: 1 }));
  afterAll(() => pool.destroy());

  it("a task ends at the deadline of the sender", async () => {
    const [ctx] = withTimeout(background, 100);
    expect(await pool.run({ wire: toWire(ctx), ms: 60_000 })).toEqual({ code: "DEADLINE_EXCEEDED", cause: undefined });
  });

  it("a task is canceled over a port, and keeps its thread", async () => {
    const [ctx, cancel] = withTimeout(background, "1h");
    const { threadId } = pool.threads[0]!;
    const { port1, port2 } = new MessageChannel();
    const wire = toWire(ctx);
    const stop = linkCancel(ctx, port1, wire);
    const result = pool.run({ wire, ms: 60_000, port: port2 }, { transferList: [port2] });
    setTimeout(() => cancel(new ClientDisconnected()), 30);

    expect(await result).toEqual({ code: "ABORT_ERR", cause: "ClientDisconnected" });
    stop();
    port1.close();
    expect(pool.threads.map((thread) => thread.threadId)).toEqual([threadId]);
  });

  it("a task that uses the CPU only is ended with its thread by the signal of the context", async () => {
    const [ctx] = withTimeout(background, 100);
    const from = performance.now();
    const error: Error = await pool.run({ wire: toWire(ctx), ms: 10_000, spin: true }, { signal: ctx.signal }).then(
      () => expect.unreachable(),
      (thrown: Error) => thrown,
    );

    expect(performance.now() - from).toBeLessThan(5000);
    expect(error.cause).toBe(ctx.err());
  });
});

describe("toWire", () => {
  it("makes plain data, the same for structured clone and JSON", () => {
    const [ctx] = withTimeout(requestLike(), "1m");
    const wire = toWire(ctx, { keys: [basket] });

    expect(structuredClone(wire)).toEqual(wire);
    expect(JSON.parse(JSON.stringify(wire))).toEqual(wire);
    expect(wire).toEqual({
      id: expect.any(String),
      deadline: expect.any(Number),
      headers: {
        traceparent: expect.stringMatching(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`)),
        "throughline-criticality": "critical",
        baggage: "wire-tenant=acme",
      },
      values: { basket: { items: 2 } },
    });
    expect(Math.abs(wire.deadline! - ctx.deadline!.getTime())).toBeLessThanOrEqual(2);
  });

  it("carries no deadline, and only values that it is asked for, of a context without them", () => {
    expect(toWire(background)).toEqual({ id: expect.any(String), headers: {} });
    expect(toWire(withValue(background, basket, { items: 1 }))).not.toHaveProperty("values");
    expect(new Set([1, 2, 3].map(() => toWire(background).id)).size).toBe(3);
  });

  it("carries the trace as W3C headers, whatever the propagator of OpenTelemetry writes", () => {
    propagation.setGlobalPropagator({
      inject: (_ctx, carrier, setter) => setter.set(carrier, "b3", "1"),
      extract: (ctx) => ctx,
      fields: () => ["b3"],
    });
    try {
      expect(toWire(requestLike()).headers["traceparent"]).toContain(TRACE_ID);
      propagation.disable();
      propagation.setGlobalPropagator(new TraceContextPropagator());
      expect(toWire(requestLike()).headers["traceparent"]).toContain(TRACE_ID);
    } finally {
      propagation.disable();
    }
  });

  it("throws the error of a context that has ended", () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    expect(() => toWire(ctx)).toThrow(ctx.err());
  });

  it("refuses wrong arguments", () => {
    expect(() => toWire(background, { keys: "x" as never })).toThrow(/'keys' must be a list of keys/);
    expect(() => toWire(background, { keys: [basket, createKey("basket")] })).toThrow(/different names/);
    expect(() => toWire(background, { key: [] } as object)).toThrow(/no option 'key'/);
    expect(() => toWire({} as Context)).toThrow(/needs a Context/);
  });
});

describe("fromWire", () => {
  it("has what the sender's context has, and ends with its deadline and its cancel function", async () => {
    const [sent] = withTimeout(requestLike(), 60);
    const wire = toWire(sent, { keys: [basket] });
    const [ctx] = fromWire(wire, { keys: [basket] });
    const [other, cancel] = fromWire(wire);
    cancel();

    expect([ctx.value(tenant), ctx.value(basket), criticality(ctx), traceId(ctx)]).toEqual([
      "acme",
      { items: 2 },
      "critical",
      TRACE_ID,
    ]);
    expect([other.value(basket), other.err()]).toEqual([undefined, expect.any(Canceled)]);
    // The process may be suspended between the two.
    expect(Math.abs(ctx.remaining() - sent.remaining())).toBeLessThan(30);
    await vi.waitUntil(() => ctx.err());
    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
    expect((ctx.err() as DeadlineExceeded).source).toBe("the sender");
  });

  it("has ended if the deadline has passed", () => {
    const port = new EventEmitter();
    const [ctx] = fromWire({ ...toWire(background), deadline: Date.now() - 5 }, { port });
    expect(ctx.err()).toBeInstanceOf(DeadlineExceeded);
    expect(port.listenerCount("message")).toBe(0);
  });

  it("does not derive from the context that is current", () => {
    const [current, cancel] = withCancel(withValue(background, tenant, "other"));
    const [ctx] = run(current, () => fromWire(toWire(background)));
    cancel();
    expect([ctx.value(tenant), ctx.err()]).toEqual([undefined, undefined]);
  });

  it("listens to a port only while a context may be canceled over it, with one listener", () => {
    const port = new EventEmitter();
    const contexts = Array.from({ length: 20 }, () => fromWire(toWire(background), { port }));
    expect(port.listenerCount("message")).toBe(1);
    for (const [, cancel] of contexts) cancel();
    expect(port.listenerCount("message")).toBe(0);
  });

  it("leaves no deadline armed when it is canceled", () => {
    const port = new EventEmitter();
    const before = armedDeadlines();
    const [sent] = withTimeout(background, "1h");
    const [, cancel] = fromWire(toWire(sent), { port });
    expect(armedDeadlines()).toBe(before + 1);
    cancel();
    expect(armedDeadlines()).toBe(before);
  });

  it("ignores messages that cancel nothing that it knows", () => {
    const port = new EventEmitter();
    const [ctx] = fromWire(toWire(background), { port });
    for (const message of [null, 1, {}, { type: "throughline.cancel" }, { type: "throughline.cancel", id: "other" }]) {
      port.emit("message", message);
    }
    expect(ctx.err()).toBeUndefined();
  });

  it("refuses what is no wire, or has a value that cannot be bound", () => {
    for (const wire of [undefined, null, {}, { id: 1, headers: {} }, { id: "1", headers: {}, deadline: "soon" }]) {
      expect(() => fromWire(wire as unknown as Wire)).toThrow(/'wire' must be made by toWire\(\)/);
    }
    expect(() => fromWire(toWire(background), { port: {} as never })).toThrow(/'port.on' must be a function/);
  });
});

describe("linkCancel", () => {
  const postMessage = vi.fn<(message: unknown) => void>();
  afterEach(() => void postMessage.mockClear());

  it("sends one message when the context is canceled, and none after it is stopped or at the deadline", async () => {
    const [ctx, cancel] = withCancel(background);
    const wire = toWire(ctx);
    linkCancel(ctx, { postMessage }, wire);
    linkCancel(ctx, { postMessage }, toWire(ctx))();
    const [expired] = withTimeout(background, 5);
    linkCancel(expired, { postMessage }, toWire(expired));
    await vi.waitUntil(() => expired.err());
    cancel("not needed");

    expect(postMessage.mock.calls).toEqual([[{ type: "throughline.cancel", id: wire.id, message: "not needed" }]]);
  });

  it("refuses wrong arguments", () => {
    expect(() => linkCancel(background, {} as never, toWire(background))).toThrow(/'port' must have a method/);
    expect(() => linkCancel(background, { postMessage }, {} as Wire)).toThrow(/'wire' must be made by toWire/);
    expect(() => receive({} as never, () => {})).toThrow(/'port.on' must be a function/);
    expect(() => receive(new EventEmitter(), 1 as never)).toThrow(/'work' must be a function/);
  });
});
