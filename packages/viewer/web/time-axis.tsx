import type { RefObject } from "preact";

import { durationText } from "../src/analysis/duration-text.ts";
import { ticks, type TimeRange } from "../src/analysis/time-axis.ts";
import { useRangeDrag } from "./minimap.tsx";
import type { TimeScale } from "./time-scale.ts";

/** Returns the ticks in view. */
function placed(scale: TimeScale): { time: number; left: string }[] {
  const { view, from } = scale;
  return ticks(view.to - view.from, view.from - from, scale.ticks).map((time) => ({
    time,
    left: `${scale.at(from + time)}%`,
  }));
}

interface TimeAxisProps {
  readonly scale: TimeScale;
  readonly element: RefObject<HTMLDivElement | null>;
  readonly onView: (view: TimeRange | undefined) => void;
}

/** Dragging over the axis zooms to the time. */
export function TimeAxis({ scale, element, onView }: TimeAxisProps) {
  const { start, selection } = useRangeDrag(scale.view, onView);
  return (
    <div class="axis" ref={element} onPointerDown={start} onDblClick={() => onView(undefined)}>
      {placed(scale).map(({ time, left }) => (
        <span key={time} class="tick" style={{ left }}>
          {durationText(time)}
        </span>
      ))}
      {selection !== undefined && (
        <span
          class="axis-selection"
          style={{
            left: `${scale.at(selection.from)}%`,
            width: `${scale.at(selection.to) - scale.at(selection.from)}%`,
          }}
        />
      )}
    </div>
  );
}

export function TimeGrid({ scale }: { readonly scale: TimeScale }) {
  return (
    <div class="layer" aria-hidden="true">
      <div class="grid-lines">
        {placed(scale).map(({ time, left }) => (
          <span key={time} style={{ left }} />
        ))}
      </div>
    </div>
  );
}
