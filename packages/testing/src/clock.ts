import { setImmediate, setTimeout } from "node:timers";

import type { Duration } from "@throughline/context";
import {
  armedEntries,
  describeValue,
  disarm,
  fireEntry,
  manualClock,
  milliseconds,
  now,
  refuseUnknown,
  type Scope,
  type TimerEntry,
  useManualClock,
  wholeNumber,
} from "@throughline/context/internal";

import { callerOutside } from "./call-site.ts";
import { originOf } from "./live-scopes.ts";

// Kept at load, so that fake timers of a test runner do not affect them.
const soon = setImmediate;
const later = setTimeout;
const realNow = performance.now.bind(performance);

/** After so many firings `runUntilIdle` takes the timers for ones that start each other forever. */
const MAX_FIRINGS = 10_000;

/** How often a stalled test is looked for, in real milliseconds. */
const CHECK_MS = 50;

/** A deadline with a listener, or a timer such as that of `sleep`, which has not fired. */
export interface Waiting {
  readonly kind: "deadline" | "timer";
  /** Milliseconds on the clock until it fires. */
  readonly in: number;
  /** How the context of a deadline was derived. */
  readonly derivation: string | undefined;
  /** The function and the line that started it. */
  readonly startedBy: string;
}

/**
 * The time of contexts, timers and sleeps in a test. It stands still except in `advance` and `runUntilIdle`. It does
 * not affect `Date`, `performance`, `setTimeout` or timers of other libraries.
 */
export interface TestClock extends Disposable {
  /** Milliseconds since the clock was started. */
  readonly elapsed: number;
  /**
   * Waits until all callbacks of promises have run, and so all code waits for time or for the outside (Go:
   * `synctest.Wait`).
   */
  settle(): Promise<void>;
  /**
   * Advances the time. Fires each deadline and timer that is due at its own time, in order; those of the same time in
   * the order in which they were started. Before the first and after each, all callbacks of promises run.
   *
   * @throws Error if an earlier call has not finished
   */
  advance(duration: Duration): Promise<void>;
  /**
   * Advances the time to each deadline and timer in order, until none is left. Returns the milliseconds that passed.
   *
   * @throws Error after 10,000 of them
   */
  runUntilIdle(): Promise<number>;
  /** The deadlines and timers that were started on this clock and have not fired, the earliest first. */
  waiting(): Waiting[];
  /** Restores the monotonic clock. What still waits on this clock never fires. A second call does nothing. */
  stop(): void;
}

/**
 * Starts a clock that stands still, for the whole process. Contexts that exist already run on it too, until it is
 * stopped.
 *
 * @throws Error if another test clock is running: tests with a clock run one after another
 */
export function startClock(): TestClock {
  return new ManualTestClock();
}

export interface RunWithClockOptions {
  /**
   * Real milliseconds without any progress after which the test fails because it waits for time that is not advanced.
   * `Infinity` for tests that wait for other processes. @default 1000
   */
  stallTimeout?: number;
}

/**
 * Runs `fn` with a test clock, and stops the clock after it.
 *
 * @returns the result of `fn`
 * @throws Error if deadlines or timers still wait when `fn` has succeeded, or if `fn` waits for one and does not advance
 * the clock; the message lists them
 */
export async function runWithClock<T>(
  fn: (clock: TestClock) => T | Promise<T>,
  options: RunWithClockOptions = {},
): Promise<T> {
  const action = "run with a clock";
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot ${action}: 'fn' must be a function; received ${describeValue(fn)}`);
  }
  const { stallTimeout = 1000, ...others } = options;
  refuseUnknown(others, action);
  wholeNumber("stallTimeout", stallTimeout, 1, action);
  const clock = new ManualTestClock();
  try {
    const result = await Promise.race([fn(clock), clock.stalled(stallTimeout)]);
    await clock.settle();
    const waiting = clock.waiting();
    if (waiting.length > 0) throw new Error(`The test has ended, but these still wait:${listOf(waiting)}`);
    return result;
  } finally {
    clock.stop();
  }
}

/** Where the running clock was started, for an error message. */
let runningSite = "";

class ManualTestClock implements TestClock {
  /** Whole milliseconds, so that sums of durations are exact. */
  readonly #from = Math.ceil(now());
  #now = this.#from;
  #isRunning = true;
  #isAdvancing = false;
  #progressAt = realNow();
  #started = 0;
  /** The entries that were armed on this clock: their order, and the code that armed them. */
  readonly #entries = new WeakMap<TimerEntry, { order: number; site: string }>();

  constructor() {
    if (manualClock() !== undefined) {
      throw new Error(
        `Cannot start a test clock: another one is running${runningSite}; stop it first, and run tests that use a clock one after another`,
      );
    }
    const site = callerOutside();
    runningSite = site === "" ? "" : `, started by ${site}`;
    useManualClock({
      now: () => this.#now,
      armed: (entry) => {
        this.#progressAt = realNow();
        this.#entries.set(entry, { order: (this.#started += 1), site: callerOutside() });
      },
    });
  }

  get elapsed(): number {
    return this.#now - this.#from;
  }

  async settle(): Promise<void> {
    this.#progressAt = realNow();
    // The second one is for streams of Node, which pass data on with `setImmediate`.
    await new Promise<void>((resolve) => void soon(resolve));
    await new Promise<void>((resolve) => void soon(resolve));
  }

  async advance(duration: Duration): Promise<void> {
    const ms = milliseconds(duration, "advance the clock", "duration");
    await this.#exclusively(async () => {
      const until = this.#now + ms;
      await this.settle();
      for (let next = this.#next(); next !== undefined && next.at <= until; next = this.#next()) await this.#fire(next);
      this.#now = until;
    });
  }

  async runUntilIdle(): Promise<number> {
    const from = this.#now;
    await this.#exclusively(async () => {
      await this.settle();
      for (let fired = 0, next = this.#next(); next !== undefined; next = this.#next()) {
        if ((fired += 1) > MAX_FIRINGS) {
          const list = listOf(this.waiting());
          throw new Error(`Cannot run until idle: timers start each other without end:${list}`);
        }
        await this.#fire(next);
      }
    });
    return this.#now - from;
  }

  waiting(): Waiting[] {
    return this.#isRunning ? this.#own().map((entry) => this.#describe(entry)) : [];
  }

  stop(): void {
    if (!this.#isRunning) return;
    for (const entry of this.#own()) disarm(entry);
    this.#isRunning = false;
    useManualClock(undefined);
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** Rejects when nothing has happened for so many real milliseconds, although something waits on the clock. */
  stalled(ms: number): Promise<never> {
    return new Promise((_resolve, reject) => {
      const check = (): void => {
        if (!this.#isRunning) return;
        const waiting = this.waiting();
        if (waiting.length > 0 && !this.#isAdvancing && realNow() - this.#progressAt >= ms) {
          reject(new Error(`The test waits for time, but does not advance the clock:${listOf(waiting)}`));
        } else {
          // Without a timer left, `node:test` ends with a promise that is still pending.
          const timer = later(check, CHECK_MS);
          if (waiting.length === 0) timer.unref?.();
        }
      };
      if (ms !== Infinity) check();
    });
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (!this.#isRunning) throw new Error("Cannot advance the clock: it is stopped");
    if (this.#isAdvancing) throw new Error("Cannot advance the clock: await the earlier call first");
    this.#isAdvancing = true;
    try {
      await work();
    } finally {
      this.#isAdvancing = false;
    }
  }

  async #fire(entry: TimerEntry): Promise<void> {
    this.#now = Math.max(this.#now, entry.at);
    fireEntry(entry);
    await this.settle();
  }

  /** The entry to fire next, also one that was armed before this clock was started. */
  #next(): TimerEntry | undefined {
    if (!this.#isRunning) return undefined;
    return this.#sorted(armedEntries())[0];
  }

  #own(): TimerEntry[] {
    return this.#sorted(armedEntries().filter((entry) => this.#entries.has(entry)));
  }

  #sorted(entries: TimerEntry[]): TimerEntry[] {
    const order = (entry: TimerEntry): number => this.#entries.get(entry)?.order ?? 0;
    return entries.sort((a, b) => a.at - b.at || order(a) - order(b));
  }

  #describe(entry: TimerEntry): Waiting {
    const scope = scopeOf(entry);
    return {
      kind: scope === undefined ? "timer" : "deadline",
      in: entry.at - this.#now,
      derivation: scope === undefined ? undefined : originOf(scope).derivation,
      startedBy: (scope === undefined ? "" : originOf(scope).site) || this.#entries.get(entry)!.site,
    };
  }
}

/** The scope that an entry ends, if it is a deadline. */
export function scopeOf(entry: TimerEntry): Scope | undefined {
  return (entry as { owner?: Scope }).owner;
}

function listOf(waiting: readonly Waiting[]): string {
  return waiting.map((each) => `\n  ${describeWaiting(each)}`).join("");
}

/** One line for people. */
export function describeWaiting({ kind, in: ms, derivation, startedBy }: Waiting): string {
  const of = derivation === undefined ? "" : ` of ${derivation}`;
  const by = startedBy === "" ? "" : `, started by ${startedBy}`;
  return `${kind}${of}, due in ${Math.round(ms * 10) / 10} ms${by}`;
}
