import { AsyncLocalStorage } from "node:async_hooks";

import { createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import {
  afterFunc,
  background,
  type CancelFunc,
  type Context,
  createKey,
  current,
  run,
  withCancel,
  withTimeout,
  withValue,
} from "@throughline/context";

/** A measured operation and its references. */
export interface Operation {
  readonly name: string;
  readonly ours: () => unknown;
  /** Whether a part of the work runs in a microtask. The measurement then includes an `await`. */
  readonly hasMicrotasks?: boolean;
  /**
   * Number of operations in a call of `ours`, which awaits their microtasks once, as Go's benchmark does at its end.
   */
  readonly times?: number;
  /** Name of the equivalent Go benchmark. */
  readonly go?: string;
  /** The nearest equivalent of the platform or of OpenTelemetry. */
  readonly peer?: { readonly name: string; readonly run: () => unknown };
  /** The permitted time, as a share of the reference's time. */
  readonly budget?: { readonly of: "go" | "peer"; readonly share: number };
}

const keys = Array.from({ length: 100 }, (_, i) => createKey<number>(`key ${i}`));
const [absent, otherAbsent] = [createKey<number>("absent"), createKey<number>("absent")];

/** Alternates between 0 and 1: with a constant argument, the optimizer would hoist the call out of the loop. */
function alternate(): 0 | 1 {
  turns = (turns + 1) & 1;
  return turns as 0 | 1;
}
let turns = 0;
const otelKeys = Array.from({ length: 100 }, (_, i) => createContextKey(`bench ${i}`));
const noop = (): void => {};

function values(depth: number): Context {
  let ctx: Context = background;
  for (let i = 0; i < depth; i++) ctx = withValue(ctx, keys[i]!, i);
  return ctx;
}

function otelValues(depth: number): typeof ROOT_CONTEXT {
  let ctx = ROOT_CONTEXT;
  for (let i = 0; i < depth; i++) ctx = ctx.setValue(otelKeys[i]!, i);
  return ctx;
}

function chain(root: Context, depth: number): Context {
  let ctx = root;
  for (let i = 0; i < depth; i++) ctx = withCancel(ctx)[0];
  return ctx;
}

/** Go's benchmark of a chain. It also calls `err()` on the end of the chain, because our contexts compute on demand. */
function cancelTree(depth: number, root: "Background" | "OpenCanceler" | "ClosedCanceler"): () => unknown {
  if (root === "Background") return () => chain(background, depth).err();
  return () => {
    const [ctx, cancel] = withCancel(background);
    if (root === "ClosedCanceler") cancel();
    const bottom = chain(ctx, depth);
    if (root === "OpenCanceler") cancel();
    return bottom.err();
  };
}

const [eight, otelEight] = [values(8), otelValues(8)];
const [shared] = withCancel(withValue(background, keys[0]!, 1));
const [canceled, cancelIt] = withCancel(background);
cancelIt();
const [live] = withTimeout(background, "1h");
const aborted = AbortSignal.abort();
const storage = new AsyncLocalStorage<object>();
const store = {};

const singles: Operation[] = [
  {
    name: "withValue, at 8 values",
    ours: () => withValue(eight, keys[9]!, 1),
    go: "WithValue",
    peer: { name: "OpenTelemetry setValue", run: () => otelEight.setValue(otelKeys[9]!, 1) },
    budget: { of: "peer", share: 1 / 20 },
  },
  {
    name: "value, at depth 8",
    ours: () => eight.value(keys[alternate()]!),
    go: "ValueAtDepth8",
    peer: { name: "OpenTelemetry getValue", run: () => otelEight.getValue(otelKeys[alternate()]!) },
    budget: { of: "go", share: 1 },
  },
  {
    name: "withCancel + cancel",
    ours: () => {
      const [ctx, cancel] = withCancel(background);
      cancel();
      return ctx;
    },
    go: "WithCancelCancel",
    peer: {
      name: "AbortController + abort",
      run: () => {
        const controller = new AbortController();
        controller.abort(store);
        return controller;
      },
    },
    budget: { of: "go", share: 1 },
  },
  {
    name: "withTimeout + cancel",
    ours: () => {
      const [ctx, cancel] = withTimeout(background, 3_600_000);
      cancel();
      return ctx;
    },
    go: "WithTimeoutCancel",
    peer: { name: "AbortSignal.timeout", run: () => AbortSignal.timeout(1) },
    budget: { of: "go", share: 1 },
  },
  {
    name: "withTimeout + afterFunc + cancel",
    ours: async () => {
      for (let i = 0; i < 64; i++) {
        const [ctx, cancel] = withTimeout(background, 3_600_000);
        afterFunc(ctx, noop);
        cancel();
      }
      await null;
    },
    times: 64,
    hasMicrotasks: true,
    go: "WithTimeoutAfterFuncCancel",
    peer: {
      name: "AbortSignal.any + timeout",
      run: () => {
        const controller = new AbortController();
        AbortSignal.any([controller.signal, AbortSignal.timeout(1)]).addEventListener("abort", noop);
        controller.abort(store);
      },
    },
    budget: { of: "go", share: 1 },
  },
  {
    name: "withCancel + signal + cancel",
    ours: () => {
      const [ctx, cancel] = withCancel(background);
      const { signal } = ctx;
      cancel();
      return signal;
    },
    peer: {
      name: "AbortController + abort()",
      run: () => {
        const controller = new AbortController();
        const { signal } = controller;
        controller.abort();
        return signal;
      },
    },
  },
  {
    name: "run + current",
    ours: () => run(live, current),
    peer: { name: "AsyncLocalStorage run", run: () => storage.run(store, () => storage.getStore()) },
  },
  { name: "ErrOK, with a deadline", ours: () => live.err(), go: "ErrOK" },
  {
    name: "CheckCanceled/Err",
    ours: () => canceled.err(),
    go: "CheckCanceled/Err",
    peer: { name: "signal.aborted", run: () => aborted.aborted },
  },
  { name: "CheckCanceled/Done", ours: () => canceled.signal.aborted, go: "CheckCanceled/Done" },
  { name: "ContextCancelDone", ours: () => live.signal.aborted, go: "ContextCancelDone" },
  {
    name: "CommonParentCancel",
    ours: () => {
      const [ctx, cancel] = withCancel(shared);
      const value = ctx.value(keys[0]!);
      cancel();
      return value;
    },
    go: "CommonParentCancel",
  },
];

const trees = [1, 10, 100, 1000].flatMap((depth) =>
  (["Background", "OpenCanceler", "ClosedCanceler"] as const).map((root): Operation => {
    const name = `CancelTree/depth=${depth}/Root=${root}`;
    return { name, ours: cancelTree(depth, root), go: name };
  }),
);

const depths = [10, 20, 30, 50, 100].flatMap((depth): Operation[] => {
  const [ctx, otel] = [values(depth), otelValues(depth)];
  return [
    {
      name: `DeepValueSameGoRoutine/depth=${depth}`,
      ours: () => ctx.value(absent),
      go: `DeepValueSameGoRoutine/depth=${depth}`,
      peer: { name: "OpenTelemetry getValue", run: () => otel.getValue(alternate() === 0 ? absent : otherAbsent) },
    },
    {
      name: `DeepValueNewGoRoutine/depth=${depth}`,
      ours: async () => (await null, ctx.value(absent)),
      hasMicrotasks: true,
      go: `DeepValueNewGoRoutine/depth=${depth}`,
    },
    {
      name: `WithValue/depth=${depth}`,
      ours: () => values(depth),
      go: `WithValueChain/depth=${depth}`,
      peer: { name: "OpenTelemetry setValue", run: () => otelValues(depth) },
    },
  ];
});

/** Creates and cancels ten deadlines while `concurrency` armed deadlines exist. */
export function withTimeoutConcurrency(concurrency: number): { operation: Operation; release: () => void } {
  const alive = Array.from({ length: concurrency }, () => {
    const [ctx, cancel] = withTimeout(background, 3_600_000 + Math.random() * 1000);
    afterFunc(ctx, noop);
    return cancel;
  });
  const make = (): CancelFunc => withTimeout(background, 3_600_000)[1];
  const ours = (): void => {
    const ten = [make(), make(), make(), make(), make(), make(), make(), make(), make(), make()];
    for (const cancel of ten) cancel();
  };
  const name = `WithTimeout/concurrency=${concurrency}`;
  return { operation: { name, ours, go: name }, release: () => alive.forEach((cancel) => cancel()) };
}

export const operations: readonly Operation[] = [...singles, ...trees, ...depths];
