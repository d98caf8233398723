import type { TreeRow } from "../span-tree.ts";
import { durationOf } from "../span.ts";
import { durationText } from "./duration-text.ts";

/** Something about the data that may mislead a reader. */
export interface TraceWarning {
  readonly text: string;
  /** The spans that it is about; empty if it is about the whole trace. */
  readonly spanIds: readonly string[];
}

/** What is known of a trace besides its spans. */
export interface TraceNotes {
  /** Number of spans that the store has dropped. */
  readonly dropped?: number;
  /** Corrections of clocks, by span id. */
  readonly shifts?: ReadonlyMap<string, number>;
}

/** Returns what is missing or doubtful in a trace. */
export function traceWarnings(rows: readonly TreeRow[], { dropped = 0, shifts }: TraceNotes = {}): TraceWarning[] {
  const orphans = rows.filter(({ span, depth }) => depth === 0 && span.parentSpanId !== undefined);
  const unfinished = rows.filter(({ span }) => span.isUnfinished === true);
  const backwards = rows.filter(({ span }) => durationOf(span) < 0);
  const warnings: TraceWarning[] = [];
  const add = (text: string, spanIds: readonly string[]): void => void warnings.push({ text, spanIds });
  const ids = (of: readonly TreeRow[]): string[] => of.map(({ span }) => span.spanId);
  if (dropped > 0) add(`${plural(dropped, "span")} of this trace dropped by the viewer's limits`, []);
  if (orphans.length > 0) add(`${plural(orphans.length, "span")} with a missing parent`, ids(orphans));
  if (unfinished.length > 0) add(`${plural(unfinished.length, "span")} without an end`, ids(unfinished));
  if (backwards.length > 0) add(`${plural(backwards.length, "span")} with an end before the start`, ids(backwards));
  if (shifts !== undefined && shifts.size > 0) {
    const most = [...shifts.values()].reduce((worst, shift) => Math.max(worst, Math.abs(shift)), 0);
    add(`clocks differ by up to ${durationText(most)}: ${plural(shifts.size, "call")} affected`, [...shifts.keys()]);
  }
  return warnings;
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : `${noun}s`}`;
}
