import { durationText } from "../src/analysis/duration-text.ts";
import { describeEnding } from "../src/analysis/ending.ts";
import type { TraceSummary } from "../src/api.ts";
import { dateText, dayText, isoText, isToday, timeText } from "./clock-text.ts";
import { EndingBadge } from "./ending-badge.tsx";
import { traceLink } from "./route.ts";
import { ServiceTag } from "./service-tag.tsx";

interface TraceTableRowProps {
  readonly trace: TraceSummary;
  /** Duration of the longest trace in the list, the scale of the bars. */
  readonly longest: number;
  readonly isChosen: boolean;
  readonly onToggle: (traceId: string) => void;
}

export function TraceTableRow({ trace, longest, isChosen, onToggle }: TraceTableRowProps) {
  const { traceId, name, service, services, start, duration, spans, failed, status, endedBy, budget } = trace;
  const ending = describeEnding(endedBy, status, failed && status === undefined);
  const others = services.filter((each) => each !== service);
  return (
    <tr class={isChosen ? "is-chosen" : ""} data-trace={traceId} onClick={(event) => openUnlessControl(event, traceId)}>
      <td class="choose">
        <input
          type="checkbox"
          checked={isChosen}
          onChange={() => onToggle(traceId)}
          aria-label={`Compare ${service} ${name}`}
        />
      </td>
      <td class="started" title={dayText(start)}>
        <time dateTime={isoText(start)}>
          {isToday(start) ? "" : `${dateText(start)} `}
          {timeText(start)}
        </time>
      </td>
      <td class="request">
        <ServiceTag name={service} />
        <a class="trace-link" href={traceLink(traceId)}>
          {name}
        </a>
      </td>
      <td>
        <EndingBadge {...ending} />
        {trace.dropped !== undefined && <span class="inside">partly dropped</span>}
        {trace.isUnfinished === true && <span class="inside">not finished</span>}
        {failed && ending.tone === "good" && <span class="inside">failures inside</span>}
      </td>
      <td class="number">{durationText(duration)}</td>
      <td class="bar-cell">
        <span
          class={`list-bar tone-${ending.tone}`}
          style={{ width: `${longest > 0 ? Math.max(1.5, (duration / longest) * 100) : 100}%` }}
        />
      </td>
      <td class="number muted">{budget === undefined ? "–" : durationText(budget)}</td>
      <td class="number muted">{spans.toLocaleString("en")}</td>
      <td class="others">
        {others.slice(0, 6).map((each) => (
          <ServiceTag key={each} name={each} />
        ))}
        {others.length > 6 && <span class="muted">+{others.length - 6}</span>}
      </td>
    </tr>
  );
}

/** A click anywhere in the row opens the trace; keyboards and screen readers use its link. */
function openUnlessControl({ target }: Event, traceId: string): void {
  if (target instanceof Element && target.closest("a, input, .choose") === null) location.hash = traceLink(traceId);
}
