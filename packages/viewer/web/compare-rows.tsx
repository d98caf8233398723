import { useState } from "preact/hooks";

import type { ComparedRow } from "../src/analysis/comparison.ts";
import { differenceText, durationText } from "../src/analysis/duration-text.ts";
import { durationOf, type ViewedSpan } from "../src/span.ts";
import { ServiceTag } from "./service-tag.tsx";
import { useKeys } from "./use-keys.ts";
import { useVirtualRows } from "./use-virtual-rows.ts";

interface CompareRowsProps {
  readonly rows: readonly ComparedRow[];
}

const ROW = 30;

export function CompareRows({ rows }: CompareRowsProps) {
  const [current, setCurrent] = useState(0);
  const { scroller, onScroll, reveal, first, end } = useVirtualRows(rows.length, ROW);
  const widest = rows.reduce((most, { difference = 0 }) => Math.max(most, Math.abs(difference)), 0);
  const move = (to: number): void => {
    const row = Math.max(0, Math.min(rows.length - 1, to));
    setCurrent(row);
    reveal(row);
  };
  useKeys({
    j: () => move(current + 1),
    ArrowDown: () => move(current + 1),
    k: () => move(current - 1),
    ArrowUp: () => move(current - 1),
    Home: () => move(0),
    End: () => move(rows.length - 1),
  });
  return (
    <section class="compare" aria-label="Comparison">
      <div class="compare-row compare-columns" aria-hidden="true">
        <span>Span</span>
        <span class="number">A</span>
        <span class="number">B</span>
        <span class="number">Difference</span>
        <span class="slower-faster">
          <span>← faster in B</span>
          <span>slower in B →</span>
        </span>
      </div>
      <div
        class="scroller"
        ref={scroller}
        onScroll={onScroll}
        role="grid"
        tabIndex={0}
        aria-label="Spans"
        aria-rowcount={rows.length}
      >
        <div class="rows" role="presentation" style={{ height: `${rows.length * ROW}px` }}>
          {rows.slice(first, end).map((row, offset) => (
            <Row
              key={first + offset}
              row={row}
              index={first + offset}
              widest={widest}
              isCurrent={first + offset === current}
            />
          ))}
        </div>
      </div>
    </section>
  );
}

interface RowProps {
  readonly row: ComparedRow;
  readonly index: number;
  readonly widest: number;
  readonly isCurrent: boolean;
}

function Row({ row, index, widest, isCurrent }: RowProps) {
  const { depth, service, name, kind, before, after, difference } = row;
  const change = before === undefined ? "added" : after === undefined ? "removed" : "both";
  return (
    <div
      role="row"
      class={`compare-row is-${change}${isCurrent ? " is-current" : ""}`}
      style={{ top: `${index * ROW}px` }}
      aria-rowindex={index + 1}
      aria-selected={isCurrent}
    >
      <div role="gridcell" class="span-cell" style={{ "--depth": Math.min(depth, 14) }}>
        <ServiceTag name={service} />
        <span class={`span-name kind-${kind}`}>
          {kind === "client" ? "→ " : ""}
          {name}
        </span>
      </div>
      <div role="gridcell" class="number">
        {tookText(before)}
      </div>
      <div role="gridcell" class="number">
        {tookText(after)}
      </div>
      <div role="gridcell" class="number">
        {difference === undefined ? <span class={`badge change-${change}`}>{change}</span> : differenceText(difference)}
      </div>
      <div role="gridcell" class="difference">
        {difference !== undefined && widest > 0 && (
          <span
            class={difference > 0 ? "slower" : "faster"}
            style={{ width: `${(Math.abs(difference) / widest) * 50}%` }}
          />
        )}
      </div>
    </div>
  );
}

function tookText(span: ViewedSpan | undefined): string {
  return span === undefined ? "–" : durationText(durationOf(span));
}
