import { durationText } from "../src/analysis/duration-text.ts";
import type { SpanEvent, SpanLink } from "../src/span.ts";
import { AttributeTable } from "./attribute-table.tsx";
import { traceLink } from "./route.ts";

interface SpanEventsProps {
  readonly events: readonly SpanEvent[];
  /** Start of the trace in milliseconds since the epoch. */
  readonly from: number;
}

export function SpanEvents({ events, from }: SpanEventsProps) {
  if (events.length === 0) return null;
  return (
    <section class="events">
      <h3>Events</h3>
      {events.map(({ name, time, attributes }, index) => (
        <AttributeTable
          key={index}
          title={`${durationText(time - from)} · ${name}`}
          attributes={Object.keys(attributes).length === 0 ? { event: name } : attributes}
        />
      ))}
    </section>
  );
}

export function SpanLinks({ links }: { readonly links: readonly SpanLink[] }) {
  if (links.length === 0) return null;
  return (
    <section class="links">
      <h3>Links</h3>
      <ul>
        {links.map(({ traceId, spanId, attributes }) => (
          <li key={spanId}>
            <a href={traceLink(traceId, spanId)}>
              trace {traceId.slice(0, 8)}… span {spanId}
            </a>
            {attributes !== undefined && <AttributeTable title="Attributes of the link" attributes={attributes} />}
          </li>
        ))}
      </ul>
    </section>
  );
}
