import { setTimeout as delay } from "node:timers/promises";

import { current, type Duration, run, withCancel, withoutCancel, withTimeout } from "@throughline/context";
import { callable, milliseconds, refuseUnknown } from "@throughline/context/internal";
import { ServerDraining } from "@throughline/http";
import { GRACE_MS } from "@throughline/http/adapter";
import { finalize, isObservable } from "rxjs";

/** Options of {@link EntryContext}. */
export interface EntryContextOptions {
  /** How long a call may take; no limit by default. */
  timeout?: Duration;
}

/** A call that runs in a context of its own. */
interface Entry {
  readonly self: unknown;
  cancel(cause: unknown): void;
}

const entries = new Set<Entry>();
/** Called each time an entry has ended. */
const onEnded = new Set<() => void>();

/**
 * Method decorator that opens a Context for each call of a method that no HTTP request calls: `@Cron`, `@Interval`, the
 * processor of a queue, a gateway or a message handler. It is `current()` in the method. It ends after `timeout`, when
 * the method has settled, and when the application shuts down; values of the caller, such as its span, are kept.
 *
 * When the application closes, {@link ContextModule} waits for active calls, and cancels them after `shutdownTimeout`.
 *
 * @throws TypeError, RangeError while the class is defined, if an option is invalid
 */
export function EntryContext({ timeout, ...others }: EntryContextOptions = {}): MethodDecorator {
  refuseUnknown(others, "open a context");
  const ms = timeout === undefined ? Infinity : milliseconds(timeout, "open a context", "timeout");
  return (_target: object, _name: string | symbol, descriptor: PropertyDescriptor) => {
    const method: unknown = descriptor.value;
    callable("method", method, "open a context");
    const opened = function (this: unknown, ...args: unknown[]): unknown {
      return open(this, ms, () => (method as (...args: unknown[]) => unknown).apply(this, args));
    };
    copyMetadata(method as object, opened);
    descriptor.value = opened;
  };
}

function open(self: unknown, ms: number, call: () => unknown): unknown {
  const base = withoutCancel(current());
  const [ctx, cancel] = ms === Infinity ? withCancel(base) : withTimeout(base, ms, { source: "EntryContext" });
  const entry: Entry = { self, cancel };
  entries.add(entry);
  const end = (): void => {
    entries.delete(entry);
    cancel();
    for (const ended of onEnded) ended();
  };
  let result: unknown;
  try {
    result = run(ctx, call);
  } catch (error) {
    end();
    throw error;
  }
  if (result instanceof Promise) return result.finally(end);
  if (isObservable(result)) return result.pipe(finalize(end));
  end();
  return result;
}

/** Other decorators, such as `@Cron`, attach metadata to the method, and may be applied before this one. */
function copyMetadata(from: object, to: object): void {
  Object.defineProperty(to, "name", { value: (from as { name: string }).name, configurable: true });
  const metadata = Reflect as typeof Reflect & {
    getMetadataKeys(target: object): unknown[];
    getMetadata(key: unknown, target: object): unknown;
    defineMetadata(key: unknown, value: unknown, target: object): void;
  };
  for (const key of metadata.getMetadataKeys(from)) metadata.defineMetadata(key, metadata.getMetadata(key, from), to);
}

/** Waits for the active entries of some instances. After `ms` it cancels them, and waits for another half second. */
export async function drainEntries(instances: ReadonlySet<unknown>, ms: number): Promise<void> {
  const active = (): Entry[] => [...entries].filter(({ self }) => instances.has(self));
  if (active().length === 0) return;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const check = (): void => void (active().length === 0 && resolve());
  onEnded.add(check);
  const abort = new AbortController();
  const after = (time: number): Promise<unknown> =>
    delay(time, "late", { signal: abort.signal }).catch(() => undefined);
  if ((await Promise.race([done, after(ms)])) === "late") {
    const draining = new ServerDraining();
    for (const entry of active()) entry.cancel(draining);
    await Promise.race([done, after(GRACE_MS)]);
  }
  abort.abort();
  onEnded.delete(check);
}
