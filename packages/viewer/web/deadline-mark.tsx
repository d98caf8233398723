import type { DeadlineBand } from "../src/analysis/deadline-band.ts";
import { durationText } from "../src/analysis/duration-text.ts";
import { cutText } from "../src/analysis/story-moments.ts";
import type { TimeScale } from "./time-scale.ts";

interface DeadlineMarkProps {
  readonly band: DeadlineBand;
  readonly scale: TimeScale;
}

/**
 * Draws the budget of a hop as a band, the part that was cut from its ancestor's budget hatched, and the overrun in
 * red.
 */
export function DeadlineMark({ band, scale }: DeadlineMarkProps) {
  const { span, at, cut } = band;
  const left = scale.at(span.start);
  const end = scale.at(at);
  const isBeyond = end > 100;
  const over = span.end > at ? scale.at(span.end) : undefined;
  return (
    <>
      <span
        class={isBeyond ? "band is-beyond" : "band"}
        style={{ left: `${left}%`, width: isBeyond ? `calc(${100 - left}% + var(--gutter))` : `${end - left}%` }}
        title={bandText(band)}
      />
      {!isBeyond && <span class={over === undefined ? "deadline" : "deadline is-passed"} style={{ left: `${end}%` }} />}
      {cut?.isReserve === false && !isBeyond && <CutMark band={band} scale={scale} />}
      {over !== undefined && <span class="overrun" style={{ left: `${end}%`, width: `${over - end}%` }} />}
    </>
  );
}

/** Minimum width of a cut with a label, in percent of the time axis. */
const MIN_LABEL_WIDTH = 14;

function CutMark({ band, scale }: DeadlineMarkProps) {
  const { at, cut, source, span } = band;
  const left = scale.at(at);
  const right = scale.at(span.start + cut!.from);
  const isBeyond = right > 100;
  const width = Math.min(100, right) - left;
  return (
    <span
      class={isBeyond ? "cut is-beyond" : "cut"}
      style={{ left: `${left}%`, width: isBeyond ? `calc(${width}% + var(--gutter))` : `${width}%` }}
      title={cutText(band)}
    >
      {width > MIN_LABEL_WIDTH && (
        <span class="cut-label">
          {source ?? span.service} −{durationText(cut!.from - cut!.to)}
        </span>
      )}
    </span>
  );
}

function bandText({ budget, used, source, cut, ...band }: DeadlineBand): string {
  const share = used > 1 ? "more than 100 %" : `${Math.round(used * 100)} %`;
  const by = source === undefined ? "" : ` by ${source}`;
  const text = `given ${durationText(budget)}${by}; used ${share}`;
  return cut === undefined ? text : `${text}; ${cutText({ budget, used, source, cut, ...band })}`;
}
