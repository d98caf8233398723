import { durationText } from "../src/analysis/duration-text.ts";
import { dayText, timeText } from "./clock-text.ts";
import { CopyButton } from "./copy-button.tsx";
import { ServiceTag } from "./service-tag.tsx";
import type { TracePicture } from "./trace-picture.ts";

interface StoryHeaderProps {
  readonly picture: TracePicture;
  readonly traceId: string;
  readonly onSelect: (spanId: string) => void;
}

/** Describes what happened. Each moment selects its span. */
export function StoryHeader({ picture, traceId, onSelect }: StoryHeaderProps) {
  const { story, root, rows, services, took } = picture;
  return (
    <section class={`story tone-${story.tone}`} aria-label="What happened">
      <div class="story-trace">
        <ServiceTag name={root.service} />
        <span class="story-name">{root.name}</span>
        <span class="muted" title={dayText(picture.range.from)}>
          {timeText(picture.range.from)} · {durationText(took)} · {rows.length.toLocaleString("en")}{" "}
          {rows.length === 1 ? "span" : "spans"} · {services.length} {services.length === 1 ? "service" : "services"}
        </span>
        <span class="spring" />
        <code class="trace-id" title={traceId}>
          {traceId.slice(0, 8)}…
        </code>
        <CopyButton text={traceId} what="the trace id" />
        <a class="button" href={`./api/traces/${traceId}/otlp`} download={`trace-${traceId}.json`}>
          Export OTLP
        </a>
      </div>
      <h1>{story.headline}</h1>
      {story.moments.length > 1 && (
        <ol class="moments">
          {story.moments.map(({ at, text, tone, spanId }) => (
            <li key={`${spanId} ${text}`}>
              <button type="button" class={`moment tone-${tone}`} onClick={() => onSelect(spanId)}>
                <span class="moment-time">{durationText(at)}</span>
                <span>{text}</span>
              </button>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
