import type { Result } from "./simulation.ts";

/** What a client got. Times are in milliseconds after the start. */
export interface Answer {
  readonly at: number;
  /** When it was answered, or gave up. */
  readonly until: number;
  /** How long the attempt took that was answered; `undefined` if none was. */
  readonly took: number | undefined;
  readonly attempts: number;
}

/** What came of the clients of a part of a run. */
export interface Measures {
  /** Answers in time, a second. */
  readonly answers: number;
  /** The share of clients that were answered in time. */
  readonly answered: number;
  /** Milliseconds of the attempts that were answered. */
  readonly p50: number;
  readonly p99: number;
}

/** Measures the clients that were answered, or came, between these seconds. */
export function measure(answers: readonly Answer[], from: number, to: number): Measures {
  const isWithin = (ms: number): boolean => ms >= from * 1000 && ms < to * 1000;
  const took = answers.flatMap((each) => (isWithin(each.until) ? (each.took ?? []) : [])).toSorted((a, b) => a - b);
  const came = answers.filter(({ at }) => isWithin(at));
  const at = (share: number): number => took[Math.floor(took.length * share)] ?? NaN;
  const answered = came.filter((each) => each.took !== undefined).length / came.length;
  return { answers: took.length / (to - from), answered, p50: at(0.5), p99: at(0.99) };
}

/**
 * Seconds until a second of clients comes of whom 95 % are answered at their first attempt; `Infinity` if none does.
 *
 * @param least the fewest clients of a second that say something
 */
export function recovery(answers: readonly Answer[], from: number, to: number, least = 1): number {
  for (let at = from; at + 1 <= to; at += 0.25) {
    const came = answers.filter((each) => each.at >= at * 1000 && each.at < (at + 1) * 1000);
    const good = came.filter((each) => each.took !== undefined && each.attempts === 1);
    if (came.length >= least && good.length >= 0.95 * came.length) return at - from;
  }
  return Infinity;
}

/** The share of all work that was done for clients that had left. */
export function workInVain({ work }: Result): number {
  const sum = (of: "done" | "inVain"): number => [...work.values()].reduce((total, each) => total + each[of], 0);
  return sum("inVain") / sum("done");
}
