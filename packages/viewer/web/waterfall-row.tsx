import type { DeadlineBand } from "../src/analysis/deadline-band.ts";
import { durationText } from "../src/analysis/duration-text.ts";
import { endingOf } from "../src/analysis/ending.ts";
import { cutText } from "../src/analysis/story-moments.ts";
import type { VisibleRow } from "../src/analysis/visible-rows.ts";
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
  readonly onSelect: (spanId: string) => void;
  readonly onToggle: (spanId: string) => void;
}

/** Maximum indentation, so that names stay in their column. */
const MAX_INDENT = 14;

export function WaterfallRow(props: WaterfallRowProps) {
  const { row, index, top, picture, scale, isCurrent, isSelected, onSelect, onToggle } = props;
  const { span, depth, below, isCollapsed } = row;
  const band = picture.bands.get(span.spanId);
  const left = scale.at(span.start);
  return (
    <div
      id={`row-${span.spanId}`}
      role="row"
      class={`waterfall-row${isCurrent ? " is-current" : ""}${isSelected ? " is-selected" : ""}`}
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
        {isCollapsed && <span class="folded">+{below}</span>}
      </div>
      <div role="gridcell" class="number">
        {durationText(span.end - span.start)}
      </div>
      <BudgetCell band={band} />
      <div role="gridcell">
        <EndingBadge {...endingOf(span)} />
      </div>
      <div role="gridcell" class="timeline" aria-label={`begins at ${durationText(span.start - picture.range.from)}`}>
        {band !== undefined && <DeadlineMark band={band} scale={scale} />}
        <span
          class={`bar bar-${span.kind}${span.failed ? " is-failed" : ""}`}
          style={{ left: `${left}%`, width: `${scale.at(span.end) - left}%` }}
        />
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
