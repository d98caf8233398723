import { AsyncResource } from "node:async_hooks";
import { EventEmitter, on, once } from "node:events";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import {
  context as otel,
  type Context as OtelContext,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { suppressTracing } from "@opentelemetry/core";
import { Rewriting } from "@throughline/test/support/rewriting-manager.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { background, bind, type Context, createKey, current, run, withCancel, withValue } from "./index.ts";
import { runRequest } from "./internal.ts";

const key = createKey<string>("key");
const ctx = withValue(background, key, "here");
const other = withValue(background, key, "elsewhere");

describe.each([
  ["without a context manager", undefined],
  ["with OpenTelemetry's context manager", () => new AsyncLocalStorageContextManager()],
  ["with a manager that rewrites the context at every step", () => new Rewriting()],
])("%s", (_name, manager) => {
  beforeEach(() => {
    if (manager !== undefined) otel.setGlobalContextManager(manager().enable());
  });
  afterEach(() => otel.disable());

  /** The value of the current context. */
  const here = (): string | undefined => current().value(key);

  it("the current context is background by default", () => {
    expect(here()).toBeUndefined();
    expect(current()).toBe(background);
  });

  it("run passes arguments, result and error", () => {
    expect(run(ctx, (a: number, b: number) => a + b, 1, 2)).toBe(3);
    expect(() =>
      run(ctx, () => {
        throw new Error("mine");
      }),
    ).toThrow("mine");
    expect(here()).toBeUndefined();
  });

  it("a nested run restores the outer context", () => {
    run(ctx, () => {
      expect(run(other, here)).toBe("elsewhere");
      expect(here()).toBe("here");
    });
  });

  it("carries derived contexts and their end", async () => {
    const [child, cancel] = withCancel(ctx);
    await run(child, async () => {
      await null;
      cancel();
      expect(current().err()).toBe(child.err());
    });
  });

  it.each<[string, () => Promise<string | undefined>]>([
    ["a promise", () => Promise.resolve().then(here)],
    ["an await", async () => (await delay(1), here())],
    ["a promise that another request resolves", () => fromElsewhere.then(here)],
    ["a timer", () => new Promise((resolve) => setTimeout(() => resolve(here()), 1))],
    ["setImmediate", () => new Promise((resolve) => setImmediate(() => resolve(here())))],
    ["nextTick", () => new Promise((resolve) => process.nextTick(() => resolve(here())))],
    ["a microtask", () => new Promise((resolve) => queueMicrotask(() => resolve(here())))],
    ["events.once", async () => (await once(emitting("event"), "event"), here())],
    [
      "events.on",
      async () => {
        for await (const _ of on(emitting("event"), "event")) return here();
        return undefined;
      },
    ],
    [
      "a stream's pipeline",
      async () => {
        const source = new PassThrough();
        setImmediate(() => source.end("chunk"));
        let seen: string | undefined;
        await pipeline(source, async (chunks) => {
          for await (const _ of chunks) seen = here();
        });
        return seen;
      },
    ],
    [
      "an async generator, which runs in its caller's context",
      async () => {
        async function* generate(): AsyncGenerator<string | undefined> {
          for (;;) yield ((await null, here()));
        }
        for await (const seen of generate()) return seen;
        return undefined;
      },
    ],
    [
      "a worker's message",
      async () => {
        const worker = new Worker("require('worker_threads').parentPort.postMessage(1)", { eval: true });
        await once(worker, "message");
        await worker.terminate();
        return here();
      },
    ],
    ["a thenable's then", async () => ({ then: (resolve: (seen: string | undefined) => void) => resolve(here()) })],
  ])("is carried by %s", async (_what, work) => {
    expect(await run(ctx, work)).toBe("here");
  });

  it("concurrent requests do not see each other's values", async () => {
    const seen = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        run(withValue(background, key, String(i)), async () => {
          for (let j = 0; j < 5; j++) await delay(Math.random());
          return here();
        }),
      ),
    );
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  describe("where Node does not carry it by design", () => {
    it("an event listener runs in the emitter's context, unless it is bound", () => {
      const emitter = new EventEmitter();
      const seen: (string | undefined)[] = [];
      run(ctx, () => {
        emitter.on("event", () => seen.push(here())); // wrong
        emitter.on(
          "event",
          bind(current(), () => seen.push(here())),
        ); // right
      });
      run(other, () => emitter.emit("event"));
      expect(seen).toEqual(["elsewhere", "here"]);
    });

    it("an abort listener runs in the context of the cancel call, unless it is bound", () => {
      const [child, cancel] = withCancel(ctx);
      const seen: (string | undefined)[] = [];
      child.signal.addEventListener("abort", () => seen.push(here())); // wrong
      child.signal.addEventListener(
        "abort",
        bind(child, () => seen.push(here())),
      ); // right
      run(other, () => cancel());
      expect(seen).toEqual(["elsewhere", "here"]);
    });

    it("a job of a pool runs in the worker's context, unless it is bound", async () => {
      const jobs: (() => void)[] = [];
      const pool = run(other, async () => {
        await delay(1);
        for (const job of jobs) job();
      });
      const seen: (string | undefined)[] = [];
      run(ctx, () => {
        jobs.push(() => seen.push(here())); // wrong
        jobs.push(bind(current(), () => seen.push(here()))); // right
      });
      await pool;
      expect(seen).toEqual(["elsewhere", "here"]);
    });
  });

  it("bind preserves this, arguments and result", () => {
    const bound = bind(ctx, function (this: { name: string }, n: number) {
      return `${this.name} ${n} ${here()}`;
    });
    expect(bound.call({ name: "me" }, 7)).toBe("me 7 here");
  });

  it("is carried by an AsyncResource", () => {
    const resource = run(ctx, () => new AsyncResource("test"));
    expect(run(other, () => resource.runInAsyncScope(here))).toBe("here");
  });
});

describe("a foreign OpenTelemetry context that is active", () => {
  beforeEach(() => void otel.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterEach(() => otel.disable());

  it("is adopted with its values and never ends", () => {
    const symbol = Symbol("theirs");
    otel.with(ROOT_CONTEXT.setValue(symbol, 1), () => {
      expect(current().getValue(symbol)).toBe(1);
      expect(current()).toBe(current());
      expect(current().err()).toBeUndefined();
    });
  });

  it("replaces the current context", () => {
    run(ctx, () =>
      otel.with(ROOT_CONTEXT.setValue(Symbol("theirs"), 1), () => expect(current().value(key)).toBeUndefined()),
    );
  });
});

it.each([undefined, null, "ctx"])("run rejects %j as a context (TestInvalidDerivedFail)", (value) => {
  expect(() => run(value as unknown as Context, () => {})).toThrow(/Cannot run a function: it needs a Context/);
});

it("run adopts a foreign context; run and bind require a function", () => {
  const symbol = Symbol("theirs");
  expect(run(ROOT_CONTEXT.setValue(symbol, 1) as Context, () => current().getValue(symbol))).toBe(1);
  expect(() => run(ctx, undefined as never)).toThrow(
    /Cannot run a function: 'fn' must be a function; received undefined/,
  );
  expect(() => bind(ctx, undefined as never)).toThrow(
    /Cannot bind a function: 'fn' must be a function; received undefined/,
  );
});

it.each([undefined, null, "ctx"])("bind rejects %j as a context", (value) => {
  expect(() => bind(value as unknown as Context, () => {})).toThrow(/Cannot bind a function: it needs a Context/);
});

/** An emitter that emits once, in another context. */
function emitting(event: string): EventEmitter {
  const emitter = new EventEmitter();
  run(other, () => setImmediate(() => emitter.emit(event)));
  return emitter;
}

const fromElsewhere = run(other, () => delay(1));

describe("a request for which an instrumentation restores the context that was active before", () => {
  beforeEach(() => void otel.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterEach(() => otel.disable());

  const spanOf = (traceId: string, spanId: string): SpanContext => ({ traceId, spanId, traceFlags: 1 });
  const [TRACE, OTHER] = ["0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"] as const;
  const before = trace.setSpanContext(ROOT_CONTEXT, spanOf(TRACE, "b7ad6b7169203331"));
  const request = withValue(trace.setSpanContext(ctx, spanOf(TRACE, "b7ad6b7169203331")), key, "request");

  /** Runs a request that arrives after an instrumentation has started its span. */
  const serve = <R>(ctx: Context, fn: () => R): R => otel.with(before, () => runRequest(ctx, fn));

  it("keeps its own context, with the active span", async () => {
    const later = trace.setSpanContext(before, spanOf(TRACE, "c7ad6b7169203331"));
    await serve(request, () =>
      otel.with(later, async () => {
        await null;
        expect(current().value(key)).toBe("request");
        expect(trace.getSpanContext(current())?.spanId).toBe("c7ad6b7169203331");
      }),
    );
  });

  it.each<[string, () => OtelContext]>([
    ["of another trace", () => trace.setSpanContext(ROOT_CONTEXT, spanOf(OTHER, "b7ad6b7169203331"))],
    ["of no trace", () => ROOT_CONTEXT.setValue(Symbol("theirs"), 1)],
    ["of telemetry's own traffic", () => suppressTracing(before)],
    ["that is the root", () => ROOT_CONTEXT],
  ])("does not replace an active context %s", (_what, active) => {
    serve(request, () => otel.with(active(), () => expect(current().value(key)).toBeUndefined()));
  });

  it("is not restored after it has ended", () => {
    const [ended, cancel] = withCancel(request);
    serve(ended, () => {
      cancel();
      otel.with(before, () => expect(current().value(key)).toBeUndefined());
    });
  });

  it("is not stored twice if no context was active before", () => {
    runRequest(request, () => {
      expect(current()).toBe(request);
      otel.with(before, () => expect(current().value(key)).toBeUndefined());
    });
  });

  it("is not restored in a context of this package that is run inside it", () => {
    serve(request, () => run(other, () => expect(current().value(key)).toBe("elsewhere")));
  });
});
