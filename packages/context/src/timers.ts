import { AsyncResource } from "node:async_hooks";

import { now } from "./clock.ts";
import type { Limit } from "./limit.ts";

/**
 * The deadlines that somebody watches, earliest first: a binary heap under a single Node timer.
 *
 * Node keeps one list of timers for each distinct duration, and with tens of thousands of distinct ones alive a single
 * `setTimeout` can take milliseconds. Deadlines are just that: many, and all different.
 */
const heap: Limit[] = [];

/** Longest delay that `setTimeout` takes; a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** When the Node timer fires, on the monotonic clock, and what made it: a faked `setTimeout` that has been taken away never fires. */
let armed: { at: number; timer: NodeJS.Timeout; by: typeof setTimeout } | undefined;

// A timer keeps the AsyncLocalStorage stores of whoever set it. This one serves everybody, so it must hold nobody's.
const nobody = new AsyncResource("throughline.deadlines", { requireManualDestroy: true });

/** Has the scope of this deadline polled when the deadline has come. */
export function arm(limit: Limit): void {
  limit.slot = heap.length;
  heap.push(limit);
  up(limit.slot);
  // A faked timer that has been taken away will never fire: what waits behind it must not wait for ever.
  if (heap[0] === limit || armed?.by !== setTimeout) schedule(heap[0]!.at);
}

/** Forgets a deadline. The Node timer stays: to find nothing to do costs less than to set it anew each time. */
export function disarm(limit: Limit): void {
  const slot = limit.slot;
  if (slot === -1) return;
  limit.slot = -1;
  const last = heap.pop()!;
  if (last === limit) return;
  put(last, slot);
  up(slot);
  down(last.slot);
}

/** How many deadlines are armed. */
export function armedDeadlines(): number {
  return heap.length;
}

function schedule(at: number): void {
  const time = now();
  if (armed !== undefined) {
    if (armed.at <= at && armed.at > time && armed.by === setTimeout) return;
    clearTimeout(armed.timer);
  }
  // Node truncates to whole milliseconds: rounded up, so that it does not wake before the time.
  const delay = Math.min(Math.max(Math.ceil(at - time), 1), LONGEST_DELAY);
  const timer = nobody.runInAsyncScope(setTimeout, undefined, expire, delay) as NodeJS.Timeout;
  // A deadline alone keeps no process alive, as with AbortSignal.timeout.
  timer.unref?.();
  armed = { at: time + delay, timer, by: setTimeout };
}

function expire(): void {
  armed = undefined;
  const time = now();
  // Node may fire up to a millisecond early: only the clock says what is due.
  for (let limit = heap[0]; limit !== undefined && limit.at <= time; limit = heap[0]) {
    disarm(limit);
    limit.scope.poll();
  }
  if (heap[0] !== undefined) schedule(heap[0].at);
}

function put(limit: Limit, slot: number): void {
  heap[slot] = limit;
  limit.slot = slot;
}

function up(slot: number): void {
  const limit = heap[slot]!;
  while (slot > 0) {
    const above = (slot - 1) >> 1;
    if (heap[above]!.at <= limit.at) break;
    put(heap[above]!, slot);
    slot = above;
  }
  put(limit, slot);
}

function down(slot: number): void {
  const limit = heap[slot]!;
  for (;;) {
    let below = 2 * slot + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && heap[below + 1]!.at < heap[below]!.at) below += 1;
    if (heap[below]!.at >= limit.at) break;
    put(heap[below]!, slot);
    slot = below;
  }
  put(limit, slot);
}
