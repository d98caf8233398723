import { useEffect, useMemo, useState } from "preact/hooks";

import type { TimeRange } from "../src/analysis/time-axis.ts";
import { visibleRows } from "../src/analysis/visible-rows.ts";
import type { ViewedSpan } from "../src/span.ts";
import { CancelLines } from "./cancel-lines.tsx";
import { TimeAxis, TimeGrid } from "./time-axis.tsx";
import { TimeScale } from "./time-scale.ts";
import type { TracePicture } from "./trace-picture.ts";
import { useKeys } from "./use-keys.ts";
import { useVirtualRows } from "./use-virtual-rows.ts";
import { WaterfallLegend } from "./waterfall-legend.tsx";
import { WaterfallRow } from "./waterfall-row.tsx";

interface WaterfallProps {
  readonly picture: TracePicture;
  readonly selected: string | undefined;
  readonly onSelect: (spanId: string | undefined) => void;
}

/** Returns the time of a span with a margin. */
function around({ start, end }: ViewedSpan): TimeRange {
  const margin = Math.max((end - start) * 0.08, 0.01);
  return { from: start - margin, to: end + margin };
}

/** Height of a row in pixels, equal to that of the style sheet. */
const ROW = 30;

export function Waterfall({ picture, selected, onSelect }: WaterfallProps) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [current, setCurrent] = useState(selected ?? picture.root.spanId);
  const rows = useMemo(() => visibleRows(picture.rows, collapsed), [picture, collapsed]);
  const places = useMemo(() => new Map(rows.map(({ span }, index) => [span.spanId, index])), [rows]);
  const [zoom, setZoom] = useState<string | undefined>();
  const zoomed = zoom === undefined ? undefined : picture.span(zoom);
  const scale = useMemo(
    () => new TimeScale(zoomed === undefined ? picture.range : around(zoomed), picture.range.from),
    [picture, zoomed],
  );
  const { scroller, onScroll, reveal, first, end } = useVirtualRows(rows.length, ROW);
  // A link may select a span in a collapsed part.
  const place = selected === undefined ? undefined : places.get(selected);
  const isHidden = selected !== undefined && place === undefined;
  useEffect(() => {
    if (isHidden) setCollapsed(new Set());
    if (selected === undefined || place === undefined) return;
    setCurrent(selected);
    reveal(place);
  }, [selected, isHidden]);

  const index = places.get(current) ?? 0;
  const select = (spanId: string): void => {
    setCurrent(spanId);
    // Open details follow the current row.
    if (selected !== undefined) onSelect(spanId);
  };
  const move = (to: number): void => {
    const row = Math.max(0, Math.min(rows.length - 1, to));
    select(rows[row]!.span.spanId);
    reveal(row);
  };
  const toggle = (spanId: string): void => {
    const top = places.get(spanId)!;
    const { below, isCollapsed } = rows[top]!;
    if (!isCollapsed && index > top && index <= top + below) select(spanId);
    setCollapsed((last) => {
      const next = new Set(last);
      if (!next.delete(spanId)) next.add(spanId);
      return next;
    });
  };
  const close = (): void => {
    const row = rows[index]!;
    if (row.below > 0 && !row.isCollapsed) return toggle(row.span.spanId);
    const above = rows.findLastIndex(({ depth }, before) => before < index && depth < row.depth);
    if (above !== -1) move(above);
  };
  const open = (): void => {
    const row = rows[index]!;
    if (row.isCollapsed) toggle(row.span.spanId);
    else if (row.below > 0) move(index + 1);
  };
  useKeys({
    j: () => move(index + 1),
    ArrowDown: () => move(index + 1),
    k: () => move(index - 1),
    ArrowUp: () => move(index - 1),
    PageDown: () => move(index + 20),
    PageUp: () => move(index - 20),
    Home: () => move(0),
    End: () => move(rows.length - 1),
    ArrowLeft: close,
    ArrowRight: open,
    Enter: () => onSelect(current),
    " ": () => toggle(current),
    z: () => setZoom(zoom === current ? undefined : current),
  });

  return (
    <section class="waterfall" aria-label="Waterfall">
      <div class="waterfall-head">
        <span>
          Span
          {zoomed !== undefined && (
            <button type="button" class="zoom-button" onClick={() => setZoom(undefined)}>
              Show the whole time
            </button>
          )}
        </span>
        <span class="number">Took</span>
        <span class="budget-cell number" title="What was left of the deadline when the span began">
          Budget
        </span>
        <span>Ended by</span>
        <TimeAxis scale={scale} />
      </div>
      <div
        class="scroller"
        ref={scroller}
        onScroll={onScroll}
        role="treegrid"
        tabIndex={0}
        aria-label={`${rows.length} spans`}
        aria-rowcount={rows.length}
        aria-activedescendant={index >= first && index < end ? `row-${current}` : undefined}
      >
        <div class="rows" role="presentation" style={{ height: `${rows.length * ROW}px` }}>
          <TimeGrid scale={scale} />
          {rows.slice(first, end).map((row, offset) => (
            <WaterfallRow
              key={row.span.spanId}
              row={row}
              index={first + offset}
              top={(first + offset) * ROW}
              picture={picture}
              scale={scale}
              isCurrent={row.span.spanId === current}
              isSelected={row.span.spanId === selected}
              onSelect={onSelect}
              onToggle={toggle}
            />
          ))}
          <CancelLines picture={picture} scale={scale} places={places} rowHeight={ROW} first={first} end={end} />
        </div>
      </div>
      <WaterfallLegend picture={picture} />
    </section>
  );
}
