import { durationText } from "../src/analysis/duration-text.ts";
import { ticks } from "../src/analysis/time-axis.ts";
import type { TimeScale } from "./time-scale.ts";

const TICKS = 8;

/** Returns the ticks in view. */
function placed(scale: TimeScale): { time: number; left: string }[] {
  const { view, from } = scale;
  return ticks(view.to - view.from, view.from - from, TICKS).map((time) => ({
    time,
    left: `${scale.at(from + time)}%`,
  }));
}

export function TimeAxis({ scale }: { readonly scale: TimeScale }) {
  return (
    <div class="axis">
      {placed(scale).map(({ time, left }) => (
        <span key={time} class="tick" style={{ left }}>
          {durationText(time)}
        </span>
      ))}
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
