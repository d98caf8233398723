import { now } from "./clock.ts";
import { nobody } from "./storage.ts";

/** Something that is to happen at a time. */
export interface Alarm {
  /** On the monotonic clock. */
  readonly at: number;
  /** Its place in the heap; -1 while it is not armed. */
  slot: number;
  /** Whether the process must not end before. */
  readonly keepsAlive?: boolean;
  /** Called when the time has come, once it is disarmed. */
  due(): void;
}

/**
 * The deadlines that somebody watches, earliest first: a binary heap under a single Node timer.
 *
 * Node keeps one list of timers for each distinct duration, and with tens of thousands of distinct ones alive a single
 * `setTimeout` can take milliseconds. Deadlines are just that: many, and all different.
 *
 * It is not pushed to and popped from: an array that is nearly empty gives its room back at each `pop`, to ask for it again at the next `push`.
 */
const heap: (Alarm | undefined)[] = [];

/** How many there are in it. */
let size = 0;

/** Room in the heap that is not worth giving back. */
const SMALL = 1024;

/** Longest delay that `setTimeout` takes; a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** When the Node timer fires, on the monotonic clock, and what made it: a faked `setTimeout` that has been taken away never fires. */
let armed: { at: number; timer: Partial<NodeJS.Timeout>; by: typeof setTimeout } | undefined;

/** Has what is due called when its time has come, and never before. */
export function arm(alarm: Alarm): void {
  alarm.slot = size;
  heap[size++] = alarm;
  if (alarm.keepsAlive) keepAlive(1);
  up(alarm.slot);
  // A faked timer that has been taken away will never fire: what waits behind it must not wait for ever.
  if (heap[0] === alarm || armed?.by !== setTimeout) schedule(heap[0]!.at);
}

/** Forgets it. The Node timer stays: to find nothing to do costs less than to set it anew each time. */
export function disarm(alarm: Alarm): void {
  const slot = alarm.slot;
  if (slot === -1) return;
  alarm.slot = -1;
  const last = heap[--size]!;
  heap[size] = undefined;
  if (size === 0 && heap.length > SMALL) heap.length = 0;
  if (last !== alarm) {
    put(last, slot);
    up(slot);
    down(last.slot);
  }
  if (alarm.keepsAlive) keepAlive(-1);
}

/** How many deadlines are armed. */
export function armedDeadlines(): number {
  return size;
}

/** How many alarms the process must wait for. */
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
  // A timer keeps the AsyncLocalStorage stores of whoever set it. This one serves everybody, so it must hold nobody's.
  const timer = nobody.runInAsyncScope(setTimeout, undefined, expire, delay) as Partial<NodeJS.Timeout>;
  // A deadline alone keeps no process alive, as with AbortSignal.timeout.
  if (waiting === 0) timer.unref?.();
  armed = { at: time + delay, timer, by: setTimeout };
}

function expire(): void {
  armed = undefined;
  const time = now();
  try {
    // Node may fire up to a millisecond early: only the clock says what is due.
    for (let alarm = heap[0]; alarm !== undefined && alarm.at <= time; alarm = heap[0]) {
      disarm(alarm);
      alarm.due();
    }
  } finally {
    if (heap[0] !== undefined) schedule(heap[0].at);
  }
}

function put(alarm: Alarm, slot: number): void {
  heap[slot] = alarm;
  alarm.slot = slot;
}

function up(slot: number): void {
  const alarm = heap[slot]!;
  while (slot > 0) {
    const above = (slot - 1) >> 1;
    if (heap[above]!.at <= alarm.at) break;
    put(heap[above]!, slot);
    slot = above;
  }
  put(alarm, slot);
}

function down(slot: number): void {
  const alarm = heap[slot]!;
  for (;;) {
    let below = 2 * slot + 1;
    if (below >= size) break;
    if (below + 1 < size && heap[below + 1]!.at < heap[below]!.at) below += 1;
    if (heap[below]!.at >= alarm.at) break;
    put(heap[below]!, slot);
    slot = below;
  }
  put(alarm, slot);
}
