import { endingOf } from "../src/analysis/ending.ts";
import type { ViewedSpan } from "../src/span.ts";
import { AttributeTable } from "./attribute-table.tsx";
import { CopyButton } from "./copy-button.tsx";
import { EndingBadge } from "./ending-badge.tsx";
import { ServiceTag } from "./service-tag.tsx";
import { SpanEvents, SpanLinks } from "./span-events.tsx";
import { SpanTiming } from "./span-timing.tsx";
import type { TracePicture } from "./trace-picture.ts";

interface SpanPanelProps {
  readonly span: ViewedSpan;
  readonly picture: TracePicture;
  readonly onClose: () => void;
}

/** All details of a span. */
export function SpanPanel({ span, picture, onClose }: SpanPanelProps) {
  const { spanId, parentSpanId, kind, name, service, statusMessage, attributes, resource, scope, scopeVersion } = span;
  return (
    <aside class="span-panel" aria-label="Details of the span">
      <header>
        <ServiceTag name={service} />
        <span class="muted">{kind}</span>
        <EndingBadge {...endingOf(span)} />
        <span class="spring" />
        <button type="button" class="quiet" onClick={onClose} aria-label="Close the details" title="Close (Esc)">
          ✕
        </button>
      </header>
      <h2>{name}</h2>
      {statusMessage !== undefined && <p class="status-message">{statusMessage}</p>}
      <SpanTiming span={span} picture={picture} />
      <AttributeTable title="Attributes" attributes={attributes} />
      <SpanEvents events={span.events ?? []} from={picture.range.from} />
      <SpanLinks links={span.links ?? []} />
      {resource !== undefined && <AttributeTable title="Resource" attributes={resource} />}
      <AttributeTable
        title="Identity"
        attributes={{
          "span id": spanId,
          ...(parentSpanId === undefined ? undefined : { "parent span id": parentSpanId }),
          ...(scope === undefined ? undefined : { "made by": scope }),
          ...(scopeVersion === undefined ? undefined : { "made by version": scopeVersion }),
        }}
      />
      {span.scopeAttributes !== undefined && <AttributeTable title="Scope" attributes={span.scopeAttributes} />}
      <CopyButton text={JSON.stringify(span, null, 2)} what="the span as JSON" />
    </aside>
  );
}
