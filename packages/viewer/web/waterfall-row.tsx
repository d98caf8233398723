import type { DeadlineBand } from "../src/analysis/deadline-band.ts";
import { durationText } from "../src/analysis/duration-text.ts";
import { endingOf } from "../src/analysis/ending.ts";
import { cutText } from "../src/analysis/story-moments.ts";
import type { VisibleRow } from "../src/analysis/visible-rows.ts";
import { durationOf, type SpanEvent } from "../src/span.ts";
import { DeadlineMark } from "./deadline-mark.tsx";
import { EndingBadge } from "./ending-badge.tsx";
import { hueOf, ServiceTag } from "./service-tag.tsx";
import type { TimeScale } from "./time-scale.ts";
import type { TracePicture } from "./trace-picture.ts";

interface WaterfallRowProps {
  readonly row: VisibleRow;
  readonly index: number;
  readonly top: number;
  readonly picture: TracePicture;
  readonly scale: TimeScale;
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  readonly isMatch: boolean;
  readonly isCritical: boolean;
  /** Shows all spans of the run that starts with a span. */
  readonly onExpandRun: (spanId: string) => void;
  /** Shows a failed span, and the collapsed spans above it. */
  readonly onShowFailed: (spanId: string) => void;
  readonly onSelect: (spanId: string) => void;
  readonly onToggle: (spanId: string) => void;
}

/** Maximum indentation, so that names stay in their column. */
const MAX_INDENT = 14;

export function WaterfallRow(props: WaterfallRowProps) {
  const { row, index, top, picture, scale, isCurrent, isSelected, onSelect, onToggle } = props;
  const { span, depth, below, isCollapsed, failedBelow, run } = row;
  const band = picture.bands.get(span.spanId);
  const left = scale.at(span.start);
  const end = run?.end ?? span.end;
  const states = [
    isCurrent && "is-current",
    isSelected && "is-selected",
    props.isMatch && "is-match",
    props.isCritical && "is-critical",
    span.failed && "has-failed",
  ];
  return (
    <div
      id={`row-${span.spanId}`}
      role="row"
      class={["waterfall-row", ...states].filter(Boolean).join(" ")}
      style={{ top: `${top}px`, "--hue": hueOf(span.service) }}
      aria-level={depth + 1}
      aria-rowindex={index + 1}
      aria-selected={isCurrent}
      aria-expanded={below > 0 ? !isCollapsed : undefined}
      onClick={() => onSelect(span.spanId)}
    >
      <div role="gridcell" class="span-cell" style={{ "--depth": Math.min(depth, MAX_INDENT) }}>
        {below > 0 ? (
          <button
            type="button"
            class="fold"
            tabIndex={-1}
            aria-label={isCollapsed ? `Show the ${below} spans below` : `Hide the ${below} spans below`}
            onClick={(event) => {
              event.stopPropagation();
              onToggle(span.spanId);
            }}
          >
            {isCollapsed ? "▸" : "▾"}
          </button>
        ) : (
          <span class="fold" />
        )}
        <ServiceTag name={span.service} />
        <span class={`span-name kind-${span.kind}`} title={`${span.service}: ${span.name} (${span.kind})`}>
          {span.kind === "client" || span.kind === "producer" ? "→ " : ""}
          {span.name}
        </span>
        {depth === 0 && span.parentSpanId !== undefined && (
          <span class="missing-parent" title={`The parent span ${span.parentSpanId} has not arrived`}>
            parent missing
          </span>
        )}
        {isCollapsed && <span class="folded">+{below}</span>}
        {isCollapsed && failedBelow !== undefined && (
          <button
            type="button"
            class="failed-below"
            tabIndex={-1}
            onClick={(event) => {
              event.stopPropagation();
              props.onShowFailed(firstFailed(picture, span.spanId));
            }}
          >
            {failedBelow} {failedBelow === 1 ? "error" : "errors"}
          </button>
        )}
        {run !== undefined && (
          <button
            type="button"
            class="folded"
            tabIndex={-1}
            aria-label={`Show all ${run.count}`}
            onClick={(event) => {
              event.stopPropagation();
              props.onExpandRun(span.spanId);
            }}
          >
            × {run.count.toLocaleString("en")}
            {run.failed > 0 && `, ${run.failed} failed`}
          </button>
        )}
      </div>
      <div role="gridcell" class="number">
        {span.isUnfinished === true ? "–" : durationText(run === undefined ? durationOf(span) : end - span.start)}
      </div>
      <BudgetCell band={band} />
      <div role="gridcell">
        <EndingBadge {...endingOf(span)} />
      </div>
      <div role="gridcell" class="timeline" aria-label={`begins at ${durationText(span.start - picture.range.from)}`}>
        {band !== undefined && <DeadlineMark band={band} scale={scale} />}
        <span class={barClass(row)} style={{ left: `${left}%`, width: `${Math.max(0, scale.at(end) - left)}%` }} />
        <EventTicks events={span.events ?? []} scale={scale} />
      </div>
    </div>
  );
}

function BudgetCell({ band }: { readonly band: DeadlineBand | undefined }) {
  const isCut = band?.cut?.isReserve === false;
  return (
    <div role="gridcell" class={`budget-cell number ${isCut ? "is-cut" : "muted"}`} title={band && cutText(band)}>
      {isCut && <span aria-label="cut to">↓ </span>}
      {band === undefined ? "–" : durationText(band.budget)}
    </div>
  );
}

function barClass({ span, run }: VisibleRow): string {
  const isFailed = span.failed || (run?.failed ?? 0) > 0;
  return (
    `bar bar-${span.kind}${isFailed ? " is-failed" : ""}${run === undefined ? "" : " is-run"}` +
    (span.isUnfinished === true ? " is-unfinished" : "")
  );
}

/** Maximum number of events to draw in a row. */
const MAX_TICKS = 100;

function EventTicks({ events, scale }: { readonly events: readonly SpanEvent[]; readonly scale: TimeScale }) {
  return (
    <>
      {events.slice(0, MAX_TICKS).map(({ name, time, attributes }, index) => (
        <span
          key={index}
          class={name === "exception" ? "event-tick is-exception" : "event-tick"}
          style={{ left: `${scale.at(time)}%` }}
          title={name === "exception" ? `exception: ${attributes["exception.message"] ?? ""}` : name}
        />
      ))}
    </>
  );
}

function firstFailed({ rows }: TracePicture, above: string): string {
  const at = rows.findIndex(({ span }) => span.spanId === above);
  return rows.find(({ span }, index) => index > at && span.failed)?.span.spanId ?? above;
}
