import { durationText } from "../src/analysis/duration-text.ts";
import { cutText } from "../src/analysis/story-moments.ts";
import { durationOf, type ViewedSpan } from "../src/span.ts";
import { timeText } from "./clock-text.ts";
import type { TracePicture } from "./trace-picture.ts";

interface SpanTimingProps {
  readonly span: ViewedSpan;
  readonly picture: TracePicture;
}

/** The start, duration, budget and deadline of a span, and the span whose end stopped it. */
export function SpanTiming({ span, picture }: SpanTimingProps) {
  const { from } = picture.range;
  const band = picture.bands.get(span.spanId);
  const step = picture.steps.find((each) => each.span === span);
  return (
    <dl class="timing">
      <dt>Began</dt>
      <dd>
        at {durationText(span.start - from)} <span class="muted">{timeText(span.start)}</span>
      </dd>
      <dt>Took</dt>
      <dd>{span.isUnfinished === true ? "not finished" : durationText(durationOf(span))}</dd>
      {picture.selfTimes.get(span.spanId) !== durationOf(span) && (
        <>
          <dt>Of its own</dt>
          <dd>{durationText(picture.selfTimes.get(span.spanId) ?? 0)}</dd>
        </>
      )}
      {picture.shifts.has(span.spanId) && (
        <>
          <dt>Clock</dt>
          <dd>corrected by {durationText(picture.shifts.get(span.spanId)!)}</dd>
        </>
      )}
      {band !== undefined && (
        <>
          <dt>Budget at its start</dt>
          <dd>
            {durationText(band.budget)}
            {band.source !== undefined && <span class="muted"> by {band.source}</span>}
          </dd>
          <dt>{band.at < span.end ? "Deadline passed" : "Would have expired"}</dt>
          <dd>
            at {durationText(band.at - from)}{" "}
            <span class="muted">
              {durationText(Math.abs(band.at - span.end))} {band.at < span.end ? "before" : "after"} its end
            </span>
            <span class="used" role="img" aria-label={`${Math.round(band.used * 100)} % used`}>
              <span
                class={band.used >= 1 ? "is-full" : ""}
                style={{ width: `${Math.min(1, Math.max(0, band.used)) * 100}%` }}
              />
            </span>
          </dd>
          {band.cut !== undefined && (
            <>
              <dt>{band.cut.isReserve ? "Reserved" : "Cut"}</dt>
              <dd class={band.cut.isReserve ? "" : "cut-text"}>{cutText(band)}</dd>
            </>
          )}
        </>
      )}
      {step?.from !== undefined && (
        <>
          <dt>Stopped</dt>
          <dd>
            {durationText(step.lag)} after{" "}
            <a href={`#/trace/${span.traceId}?span=${step.from.spanId}`}>
              {step.from.service} {step.from.name}
            </a>
          </dd>
        </>
      )}
    </dl>
  );
}
