import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import type { TimeRange } from "../src/analysis/time-axis.ts";
import { ancestorsOf, collapsedFrom, visibleRows } from "../src/analysis/visible-rows.ts";
import type { ViewedSpan } from "../src/span.ts";
import { CancelLines } from "./cancel-lines.tsx";
import { Minimap } from "./minimap.tsx";
import { TimeAxis, TimeGrid } from "./time-axis.tsx";
import { TimeScale } from "./time-scale.ts";
import type { TracePicture } from "./trace-picture.ts";
import { TraceTools, type WaterfallModes } from "./trace-tools.tsx";
import { useColumnWidth } from "./use-column-width.ts";
import { useElementSize } from "./use-element-size.ts";
import { useKeys } from "./use-keys.ts";
import { useSpanFind } from "./use-span-find.ts";
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

/** From here, durations have two units, such as "12 min 30 s". */
const MINUTE = 60_000;

export function Waterfall({ picture, selected, onSelect }: WaterfallProps) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [expandedRuns, setExpandedRuns] = useState<ReadonlySet<string>>(new Set());
  const [modes, setModes] = useState<WaterfallModes>({ showsCritical: false, groupsRuns: false });
  const [current, setCurrent] = useState(selected ?? picture.root.spanId);
  const rows = useMemo(
    () => visibleRows(picture.rows, collapsed, modes.groupsRuns ? expandedRuns : undefined),
    [picture, collapsed, modes.groupsRuns, expandedRuns],
  );
  const places = useMemo(() => new Map(rows.map(({ span }, index) => [span.spanId, index])), [rows]);
  const [view, setView] = useState<TimeRange | undefined>();
  /** The span that the view was zoomed to, so that the same key zooms out again. */
  const zoomed = useRef<string | undefined>(undefined);
  const axis = useRef<HTMLDivElement>(null);
  const axisWidth = useElementSize(axis)?.width;
  const scale = useMemo(
    () => new TimeScale(view ?? picture.range, picture.range.from, axisWidth),
    [picture, view, axisWidth],
  );
  const { scroller, onScroll, reveal, first, end } = useVirtualRows(rows.length, ROW);
  const width = useColumnWidth();
  /** The span to scroll to once its row is there. */
  const pending = useRef<string | undefined>(undefined);
  const show = (spanId: string): void => {
    setCurrent(spanId);
    if (selected !== undefined) onSelect(spanId);
    const place = places.get(spanId);
    if (place !== undefined) return reveal(place);
    pending.current = spanId;
    const hiding = new Set(ancestorsOf(picture.rows, spanId));
    setCollapsed((last) => new Set([...last].filter((id) => !hiding.has(id))));
    if (modes.groupsRuns) setModes({ ...modes, groupsRuns: false });
  };
  useEffect(() => {
    const place = pending.current === undefined ? undefined : places.get(pending.current);
    if (place === undefined) return;
    pending.current = undefined;
    reveal(place);
  }, [places]);
  // A link may select a span in a collapsed part.
  useEffect(() => {
    if (selected !== undefined && picture.span(selected) !== undefined) show(selected);
  }, [selected]);
  const find = useSpanFind(picture, show);
  const nextError = (): void => {
    const { failed } = picture;
    if (failed.length === 0) return;
    const at = failed.findIndex(({ spanId }) => spanId === current);
    show(failed[(at + 1) % failed.length]!.spanId);
  };
  const zoom = (to: TimeRange | undefined, spanId?: string): void => {
    zoomed.current = spanId;
    setView(to);
  };

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
    z: () => {
      const span = picture.span(current);
      if (span === undefined || zoomed.current === current) zoom(undefined);
      else zoom(around(span), current);
    },
    f: () => document.querySelector<HTMLInputElement>("#find")?.focus(),
    n: () => find.step(1),
    N: () => find.step(-1),
    e: nextError,
    t: () => setModes({ ...modes, showsCritical: !modes.showsCritical }),
    r: () => setModes({ ...modes, groupsRuns: !modes.groupsRuns }),
  });
  const expandRun = (spanId: string): void => setExpandedRuns((last) => new Set(last).add(spanId));
  const pan = (event: WheelEvent): void => {
    const by = event.shiftKey ? event.deltaY : event.deltaX;
    if (view === undefined || by === 0) return;
    event.preventDefault();
    const { from, to } = picture.range;
    const length = view.to - view.from;
    const start = Math.max(from, Math.min(to - length, view.from + (by / 1000) * length));
    zoom({ from: start, to: start + length });
  };

  return (
    <section
      class={`waterfall ${picture.bands.size === 0 ? "has-no-budget" : ""} ${picture.took >= MINUTE ? "is-long" : ""}`}
      aria-label="Waterfall"
      style={width.style}
    >
      <TraceTools
        picture={picture}
        find={find}
        modes={modes}
        onModes={setModes}
        onLevels={(levels) => setCollapsed(levels === 0 ? new Set() : collapsedFrom(picture.rows, levels))}
        onNextError={nextError}
      />
      <Minimap picture={picture} view={view ?? picture.range} onView={zoom} />
      <div class="waterfall-head">
        <span>
          Span
          {view !== undefined && (
            <button type="button" class="zoom-button" onClick={() => zoom(undefined)}>
              Show the whole time
            </button>
          )}
          <span class="column-edge" onPointerDown={width.start} onDblClick={width.reset} aria-hidden="true" />
        </span>
        <span class="number">Took</span>
        <span class="budget-cell number" title="What was left of the deadline when the span began">
          Budget
        </span>
        <span>Ended by</span>
        <TimeAxis scale={scale} element={axis} onView={zoom} />
      </div>
      <div
        class="scroller"
        ref={scroller}
        onScroll={onScroll}
        onWheel={pan}
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
              isMatch={find.matchIds.has(row.span.spanId)}
              isCritical={modes.showsCritical && picture.critical.has(row.span.spanId)}
              onExpandRun={expandRun}
              onShowFailed={(from) => show(from)}
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
