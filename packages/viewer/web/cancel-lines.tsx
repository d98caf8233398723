import { durationText } from "../src/analysis/duration-text.ts";
import { endingOf } from "../src/analysis/ending.ts";
import type { TimeScale } from "./time-scale.ts";
import type { TracePicture } from "./trace-picture.ts";

interface CancelLinesProps {
  readonly picture: TracePicture;
  readonly scale: TimeScale;
  /** Index of each visible row, by span id. */
  readonly places: ReadonlyMap<string, number>;
  readonly rowHeight: number;
  readonly first: number;
  readonly end: number;
}

/** Draws the spread of a cancellation as lines from the end of one span to the end of the next. */
export function CancelLines({ picture, scale, places, rowHeight, first, end }: CancelLinesProps) {
  const { steps } = picture;
  if (steps.length === 0) return null;
  const middle = (place: number): number => (place + 0.5) * rowHeight;
  return (
    <div class="layer" aria-hidden="true">
      <svg class="cancel-lines">
        {steps.map(({ span, from, lag }) => {
          const place = places.get(span.spanId);
          const above = from && places.get(from.spanId);
          if (place === undefined || !crosses(place, above, first, end)) return null;
          const x = `${scale.at(span.end)}%`;
          return (
            <g key={span.spanId} class={`tone-${endingOf(span).tone}`} data-span={span.spanId}>
              {from !== undefined && above !== undefined && (
                <line x1={`${scale.at(from.end)}%`} y1={middle(above)} x2={x} y2={middle(place)} />
              )}
              <circle cx={x} cy={middle(place)} r={from === undefined ? 5 : 3.5} />
              {from !== undefined && (
                <text x={x} y={middle(place)} dx="8" dy="0.35em">
                  +{durationText(lag)}
                </text>
              )}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function crosses(place: number, above: number | undefined, first: number, end: number): boolean {
  const other = above ?? place;
  return Math.max(place, other) >= first && Math.min(place, other) < end;
}
