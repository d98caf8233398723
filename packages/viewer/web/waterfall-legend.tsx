import type { TracePicture } from "./trace-picture.ts";

/** Explains the marks that the waterfall contains. */
export function WaterfallLegend({ picture: { bands, steps } }: { readonly picture: TracePicture }) {
  const all = [...bands.values()];
  const marks: readonly (readonly [string, string, boolean])[] = [
    ["legend-band", "budget of a hop", all.length > 0],
    ["legend-deadline", "its deadline", all.length > 0],
    ["legend-cut", "time cut from the caller's budget", all.some(({ cut }) => cut?.isReserve === false)],
    ["legend-overrun", "after its deadline", all.some(({ at, span }) => span.end > at)],
    ["legend-cancel", "stopped, with the delay after the previous hop", steps.length > 0],
  ];
  const shown = marks.filter(([, , isThere]) => isThere);
  if (shown.length === 0) return null;
  return (
    <ul class="legend" aria-label="Legend">
      {shown.map(([mark, text]) => (
        <li key={mark}>
          <span class={mark} aria-hidden="true" />
          {text}
        </li>
      ))}
    </ul>
  );
}
