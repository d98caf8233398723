import { randomBytes } from "node:crypto";

import {
  background,
  type Context,
  type Duration,
  type Key,
  run,
  withCancel,
  withTimeout,
  withValue,
} from "@throughline/context";
import { describeValue, refuseUnknown, withTrace } from "@throughline/context/internal";
import { type Principal, withPrincipal } from "@throughline/identity";

import { markSurrounding } from "./live-scopes.ts";

export interface TestContextOptions {
  /** @default no deadline */
  timeout?: Duration;
  /** Values by key: `[[tenantKey, "acme"]]`. */
  // A key is of one type only, and a list has keys of several.
  // oxlint-disable-next-line typescript/no-explicit-any
  values?: readonly (readonly [key: Key<any>, value: unknown])[];
  /** The principal of the request, such as {@link testPrincipal}. */
  principal?: Principal;
  /** The trace that the request belongs to: 32 lower-case hexadecimal digits. */
  traceId?: string;
}

type Work<T> = (ctx: Context) => T | Promise<T>;

const ACTION = "run in a context";

/**
 * Runs `fn` in a context like that of a request: `current()` in `fn` is the context. It is canceled when `fn` has
 * settled. Without `fn` it returns a function that runs its argument so, for hooks such as vitest's `aroundEach`.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function inContext<T>(options: TestContextOptions, fn: Work<T>): Promise<T>;
export function inContext(options?: TestContextOptions): <T>(fn: Work<T>) => Promise<T>;
export function inContext<T>(
  options: TestContextOptions = {},
  fn?: Work<T>,
): Promise<T> | (<U>(fn: Work<U>) => Promise<U>) {
  const derive = deriver(options);
  return fn === undefined ? (work) => runIn(derive, work) : runIn(derive, fn);
}

async function runIn<T>(derive: () => ReturnType<typeof withCancel>, fn: Work<T>): Promise<T> {
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot ${ACTION}: 'fn' must be a function; received ${describeValue(fn)}`);
  }
  const [ctx, cancel] = derive();
  try {
    return await run(markSurrounding(ctx), async () => fn(ctx));
  } finally {
    cancel();
  }
}

function deriver(options: TestContextOptions): () => ReturnType<typeof withCancel> {
  const { timeout, values = [], principal, traceId, ...others } = options;
  refuseUnknown(others, ACTION);
  if (traceId !== undefined && !/^(?!0{32})[0-9a-f]{32}$/.test(traceId)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'traceId' must be 32 lower-case hexadecimal digits, not all zero; received ${describeValue(traceId)}`,
    );
  }
  if (!Array.isArray(values) || !values.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'values' must be a list of pairs, such as [[tenantKey, "acme"]]; received ${describeValue(values)}`,
    );
  }
  return () => {
    let base: Context = background;
    if (traceId !== undefined) base = withTrace(base, { traceId, spanId: spanId(), traceFlags: 1, isRemote: true });
    // oxlint-disable-next-line throughline/no-context-in-loop -- as many as the caller lists
    for (const [key, value] of values) base = withValue(base, key, value as never);
    if (principal !== undefined) base = withPrincipal(base, principal);
    return timeout === undefined ? withCancel(base) : withTimeout(base, timeout, { source: "test" });
  };
}

function spanId(): string {
  return `${randomBytes(7).toString("hex")}01`;
}
