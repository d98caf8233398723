import { rootAsyncScope } from "./async-scope.ts";
import { now } from "./clock.ts";

/** A callback that is due at a time. */
export interface TimerEntry {
  /** On the monotonic clock. */
  readonly at: number;
  /** Index in the heap; -1 while not armed. */
  slot: number;
  /** Whether it keeps the process alive, as a Node timer does. */
  readonly keepsAlive?: boolean;
  /** Called once, not before `at`, after it was disarmed. */
  due(): void;
}

/**
 * All armed deadlines, the earliest first: a binary heap under a single Node timer.
 *
 * Node keeps one list of timers for each distinct duration, and with tens of thousands of distinct ones alive a single
 * `setTimeout` can take milliseconds. Deadlines are just that: many, and all different.
 *
 * `size` counts its entries instead of `push` and `pop`: a nearly empty array would free its memory at each `pop` and allocate it at the next `push`.
 */
const heap: (TimerEntry | undefined)[] = [];

/** Entries in the heap. */
let size = 0;

/** A heap of this capacity is kept when it is empty. */
const SMALL = 1024;

/** Longest delay that `setTimeout` takes; a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** The Node timer: when it fires on the monotonic clock, and the `setTimeout` that made it. One that a test has faked and restored never fires. */
let armed: { at: number; timer: Partial<NodeJS.Timeout>; by: typeof setTimeout } | undefined;

/** Calls `entry.due()` at `entry.at`, never earlier. */
export function arm(entry: TimerEntry): void {
  entry.slot = size;
  heap[size++] = entry;
  if (entry.keepsAlive) keepAlive(1);
  up(entry.slot);
  // A faked timer that was restored will never fire.
  if (heap[0] === entry || armed?.by !== setTimeout) schedule(heap[0]!.at);
}

/** Removes an entry. The Node timer stays: to wake for nothing is cheaper than to set it again each time. */
export function disarm(entry: TimerEntry): void {
  const slot = entry.slot;
  if (slot === -1) return;
  entry.slot = -1;
  const last = heap[--size]!;
  heap[size] = undefined;
  if (size === 0 && heap.length > SMALL) heap.length = 0;
  if (last !== entry) {
    put(last, slot);
    up(slot);
    down(last.slot);
  }
  if (entry.keepsAlive) keepAlive(-1);
}

/** The number of armed entries. */
export function armedDeadlines(): number {
  return size;
}

/** Armed entries that keep the process alive. */
let waiting = 0;

function keepAlive(change: 1 | -1): void {
  waiting += change;
  // A timer of jsdom, of a browser or of a faked clock is a number, or an object without these.
  if (waiting > 0) armed?.timer.ref?.();
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
  // Node truncates to whole milliseconds: rounded up, so that it does not wake before the time.
  const delay = Math.min(Math.max(Math.ceil(at - time), 1), LONGEST_DELAY);
  // A Node timer keeps the AsyncLocalStorage stores of its creator. This one is shared, so it must hold no request's.
  const timer = rootAsyncScope.runInAsyncScope(setTimeout, undefined, expire, delay) as Partial<NodeJS.Timeout>;
  // A deadline alone keeps no process alive, as with AbortSignal.timeout.
  if (waiting === 0) timer.unref?.();
  armed = { at: time + delay, timer, by: setTimeout };
}

function expire(): void {
  armed = undefined;
  const time = now();
  try {
    // Node may fire up to a millisecond early: only the clock says what is due.
    for (let entry = heap[0]; entry !== undefined && entry.at <= time; entry = heap[0]) {
      disarm(entry);
      entry.due();
    }
  } finally {
    if (heap[0] !== undefined) schedule(heap[0].at);
  }
}

function put(entry: TimerEntry, slot: number): void {
  heap[slot] = entry;
  entry.slot = slot;
}

function up(slot: number): void {
  const entry = heap[slot]!;
  while (slot > 0) {
    const above = (slot - 1) >> 1;
    if (heap[above]!.at <= entry.at) break;
    put(heap[above]!, slot);
    slot = above;
  }
  put(entry, slot);
}

function down(slot: number): void {
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
 * Calls `fn` once `ms` milliseconds have passed on the monotonic clock, never earlier. There is no upper limit. Unlike a deadline it keeps the process
 * alive until then. It runs outside of every request's AsyncLocalStorage context.
 *
 * @returns stop; does nothing once `fn` was called
 */
export function callAfter(ms: number, fn: () => void): () => void {
  const entry: TimerEntry = { at: now() + ms, slot: -1, keepsAlive: true, due: fn };
  arm(entry);
  return () => disarm(entry);
}
