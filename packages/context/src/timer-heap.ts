import { rootAsyncScope } from "./async-scope.ts";
import { type Clock, now, replaceClock } from "./clock.ts";

/** A callback to be called at a given time. */
export interface TimerEntry {
  /** On the monotonic clock. */
  readonly at: number;
  /** Index in the heap; -1 while not armed. */
  slot: number;
  /** Whether it keeps the process alive, as a Node timer does. */
  readonly keepsAlive?: boolean;
  /** Called once, not before `at`. The entry is disarmed before the call. */
  fire(): void;
}

/**
 * All armed deadlines, the earliest first: a binary heap with a single Node timer.
 *
 * Node keeps one list of timers for each distinct duration. With tens of thousands of distinct durations, as with
 * deadlines, a single `setTimeout` can take milliseconds.
 *
 * `size` counts the entries, as `push` and `pop` on a nearly empty array would free its memory and allocate it again.
 */
const heap: (TimerEntry | undefined)[] = [];

/** Number of entries in the heap. */
let size = 0;

/** The array keeps up to this capacity when it is empty. */
const KEPT_CAPACITY = 1024;

/** The longest delay of `setTimeout`. With a longer one it would fire after 1 ms. */
const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * The Node timer: when it fires on the monotonic clock, and the `setTimeout` that created it. A timer of a fake clock
 * that was restored never fires.
 */
let armed: { at: number; timer: Partial<NodeJS.Timeout>; by: typeof setTimeout } | undefined;

/**
 * The timers of the entries, where each needs its own: Cloudflare Workers clear the timers of a request when it ends, and
 * no request may act for another. `undefined` elsewhere.
 */
const ownTimers: Map<TimerEntry, ReturnType<typeof setTimeout>> | undefined =
  "WebSocketPair" in globalThis ? new Map() : undefined;

function armAlone(entry: TimerEntry, timers: NonNullable<typeof ownTimers>): void {
  entry.slot = 0;
  const expireAlone = (): void => {
    // After the longest delay, or a timer that fired early.
    if (entry.at > now()) return armAlone(entry, timers);
    disarm(entry);
    entry.fire();
  };
  timers.set(entry, setTimeout(expireAlone, delayUntil(entry.at)));
}

function disarmAlone(entry: TimerEntry, timers: NonNullable<typeof ownTimers>): void {
  entry.slot = -1;
  clearTimeout(timers.get(entry));
  timers.delete(entry);
}

/** Calls `entry.fire()` at `entry.at`, never earlier. */
export function arm(entry: TimerEntry): void {
  if (ownTimers !== undefined) return armAlone(entry, ownTimers);
  entry.slot = size;
  heap[size++] = entry;
  if (entry.keepsAlive) keepAlive(1);
  siftUp(entry.slot);
  // A timer of a fake clock that was restored never fires.
  if (heap[0] === entry || armed?.by !== setTimeout) {
    if (manual === undefined) schedule(heap[0]!.at);
    else manual.armed(entry);
  }
}

/** Removes an entry. The Node timer stays: an occasional unneeded wake-up is cheaper than a new timer each time. */
export function disarm(entry: TimerEntry): void {
  const slot = entry.slot;
  if (slot === -1) return;
  if (ownTimers !== undefined) return disarmAlone(entry, ownTimers);
  entry.slot = -1;
  const last = heap[--size]!;
  heap[size] = undefined;
  if (size === 0 && heap.length > KEPT_CAPACITY) heap.length = 0;
  if (last !== entry) {
    put(last, slot);
    siftUp(slot);
    siftDown(last.slot);
  }
  if (entry.keepsAlive) keepAlive(-1);
}

/** The number of armed entries. */
export function armedDeadlines(): number {
  return size;
}

/** Number of armed entries that keep the process alive. */
let keepAliveCount = 0;

function keepAlive(change: 1 | -1): void {
  keepAliveCount += change;
  // A timer of jsdom, a browser or a fake clock is a number, or an object without `ref` and `unref`.
  if (keepAliveCount > 0) armed?.timer.ref?.();
  else if (size > 0) armed?.timer.unref?.();
  else stop();
}

function stop(): void {
  clearTimeout(armed?.timer as NodeJS.Timeout | undefined);
  armed = undefined;
}

function schedule(at: number): void {
  const time = now();
  if (armed !== undefined) {
    if (armed.at <= at && armed.at > time && armed.by === setTimeout) return;
    stop();
  }
  const delay = delayUntil(at, time);
  // A Node timer retains the AsyncLocalStorage stores of its creator. This one is shared, so it must not retain a
  // request's stores.
  const timer = rootAsyncScope.runInAsyncScope(setTimeout, undefined, expire, delay) as Partial<NodeJS.Timeout>;
  // A deadline alone does not keep the process alive, as with AbortSignal.timeout.
  if (keepAliveCount === 0) timer.unref?.();
  armed = { at: time + delay, timer, by: setTimeout };
}

function delayUntil(at: number, time = now()): number {
  // Node truncates to whole milliseconds. Round up, so that the timer does not fire before the time.
  return Math.min(Math.max(Math.ceil(at - time), 1), LONGEST_DELAY);
}

function expire(): void {
  armed = undefined;
  const time = now();
  try {
    // Node may fire up to a millisecond early, so compare with the clock.
    for (let entry = heap[0]; entry !== undefined && entry.at <= time; entry = heap[0]) {
      disarm(entry);
      entry.fire();
    }
  } finally {
    if (heap[0] !== undefined && manual === undefined) schedule(heap[0].at);
  }
}

/** A clock of a test, which fires the entries itself. */
export interface ManualClock extends Clock {
  /** Called for each entry that is armed. */
  armed(entry: TimerEntry): void;
}

let manual: ManualClock | undefined;

/**
 * Runs all deadlines and timers of this copy of the package on a clock of a test: `now()` reads it, and no entry fires
 * unless {@link fireEntry} is called. `undefined` restores the monotonic clock and schedules the entries that are armed.
 */
export function useManualClock(clock: ManualClock | undefined): void {
  stop();
  manual = clock;
  replaceClock(clock);
  if (clock === undefined && heap[0] !== undefined) schedule(heap[0].at);
}

/** The clock of a test, if one is in use. */
export function manualClock(): ManualClock | undefined {
  return manual;
}

/** The armed entry that is due first. */
export function nextEntry(): TimerEntry | undefined {
  return heap[0];
}

/** All armed entries, in no order. */
export function armedEntries(): TimerEntry[] {
  return heap.slice(0, size) as TimerEntry[];
}

/** Disarms an entry and fires it, in the async scope of the shared timer. */
export function fireEntry(entry: TimerEntry): void {
  disarm(entry);
  rootAsyncScope.runInAsyncScope(() => entry.fire());
}

function put(entry: TimerEntry, slot: number): void {
  heap[slot] = entry;
  entry.slot = slot;
}

function siftUp(slot: number): void {
  const entry = heap[slot]!;
  while (slot > 0) {
    const above = (slot - 1) >> 1;
    if (heap[above]!.at <= entry.at) break;
    put(heap[above]!, slot);
    slot = above;
  }
  put(entry, slot);
}

function siftDown(slot: number): void {
  const entry = heap[slot]!;
  for (;;) {
    let below = 2 * slot + 1;
    if (below >= size) break;
    if (below + 1 < size && heap[below + 1]!.at < heap[below]!.at) below += 1;
    if (heap[below]!.at >= entry.at) break;
    put(heap[below]!, slot);
    slot = below;
  }
  put(entry, slot);
}

/**
 * Calls `fn` after `ms` milliseconds on the monotonic clock, never earlier. There is no upper limit. Unlike a deadline
 * it keeps the process alive. `fn` runs outside every request's AsyncLocalStorage context.
 *
 * @returns a function that stops the timer; it does nothing after `fn` was called
 */
export function callAfter(ms: number, fn: () => void): () => void {
  const entry: TimerEntry = { at: now() + ms, slot: -1, keepsAlive: true, fire: fn };
  arm(entry);
  return () => disarm(entry);
}
