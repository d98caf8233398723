import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";

/** Milliseconds by which a SERVER span may start before its CLIENT span. */
const TOLERANCE = 1;

/**
 * Returns the corrections for clocks that differ between machines, in milliseconds by span id. A SERVER span cannot
 * start before the call that caused it, nor after that call has ended. Such a span, with all that is below it in the
 * same service, is placed in the middle of the call, as in Jaeger. Spans that merely end later than their caller are
 * not changed.
 *
 * @param rows parents before children
 */
export function clockShifts(rows: readonly TreeRow[]): ReadonlyMap<string, number> {
  const shifts = new Map<string, number>();
  walk(rows, (span, shift, isOrigin) => void (isOrigin && shifts.set(span.spanId, shift)));
  return shifts;
}

/** Returns the spans with the corrections of `clockShifts` applied, in the same order. */
export function correctClocks(rows: readonly TreeRow[]): ViewedSpan[] {
  const corrected: ViewedSpan[] = [];
  walk(rows, (span, shift) => void corrected.push(shift === 0 ? span : shifted(span, shift)));
  return corrected;
}

function walk(rows: readonly TreeRow[], visit: (span: ViewedSpan, shift: number, isOrigin: boolean) => void): void {
  const path: ViewedSpan[] = [];
  const shiftAt: number[] = [];
  for (const { span, depth } of rows) {
    const above = depth === 0 ? undefined : path[depth - 1]!;
    let shift = above === undefined ? 0 : shiftAt[depth - 1]!;
    let isOrigin = false;
    if (above !== undefined && crossesMachines(above, span)) {
      const [from, to] = [above.start + shift, above.end + shift];
      // The clock of another machine: the correction of the caller does not apply to it.
      shift = 0;
      if (span.start < from - TOLERANCE || span.start > to + TOLERANCE) {
        shift = from + Math.max(0, (to - from - (span.end - span.start)) / 2) - span.start;
        isOrigin = true;
      }
    }
    path[depth] = span;
    shiftAt[depth] = shift;
    visit(span, shift, isOrigin);
  }
}

/** Returns whether the two are the sides of a call from one service to another. Messages may wait in a queue. */
function crossesMachines(above: ViewedSpan, span: ViewedSpan): boolean {
  return above.kind === "client" && span.kind === "server" && above.service !== span.service;
}

function shifted(span: ViewedSpan, by: number): ViewedSpan {
  const { startNanos: _start, endNanos: _end, ...rest } = span;
  return {
    ...rest,
    start: span.start + by,
    end: span.end + by,
    ...(span.events === undefined
      ? undefined
      : { events: span.events.map((event) => ({ ...event, time: event.time + by })) }),
  };
}
