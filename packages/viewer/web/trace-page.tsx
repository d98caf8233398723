import { useMemo, useState } from "preact/hooks";

import type { Trace } from "../src/api.ts";
import { Problem } from "./notice.tsx";
import { traceLink } from "./route.ts";
import { knowServices } from "./service-tag.tsx";
import { SpanPanel } from "./span-panel.tsx";
import { StoryHeader } from "./story-header.tsx";
import { TracePicture } from "./trace-picture.ts";
import { TraceWarnings } from "./trace-warnings.tsx";
import { useFetched } from "./use-fetched.ts";
import { useKeys } from "./use-keys.ts";
import { backToList, replaceWith } from "./use-route.ts";
import { Waterfall } from "./waterfall.tsx";

interface TracePageProps {
  readonly traceId: string;
  readonly spanId: string | undefined;
  readonly revision: number;
}

export function TracePage({ traceId, spanId, revision }: TracePageProps) {
  const { value: trace, problem } = useFetched<Trace>(`./api/traces/${traceId}`, revision);
  const [correctsClocks, setCorrectsClocks] = useState(true);
  const picture = useMemo(
    () => trace && new TracePicture(trace.spans, { dropped: trace.dropped, correctsClocks }),
    [trace, correctsClocks],
  );
  const select = (id: string | undefined): void => replaceWith(traceLink(traceId, id));
  const leave = (): void => (spanId === undefined ? backToList() : select(undefined));
  useKeys({ Escape: leave, Backspace: leave, "/": backToList });

  if (picture === undefined) {
    return problem === undefined ? <p class="loading">Loading …</p> : <Problem message={problem} />;
  }
  knowServices(picture.services);
  const selected = spanId === undefined ? undefined : picture.span(spanId);
  return (
    <div class="trace-page">
      <StoryHeader picture={picture} traceId={traceId} onSelect={select} />
      <TraceWarnings
        picture={picture}
        onSelect={select}
        correctsClocks={correctsClocks}
        onCorrect={setCorrectsClocks}
      />
      <div class={selected === undefined ? "trace-body" : "trace-body has-panel"}>
        <Waterfall picture={picture} selected={selected?.spanId} onSelect={select} />
        {selected !== undefined && (
          <SpanPanel key={selected.spanId} span={selected} picture={picture} onClose={() => select(undefined)} />
        )}
      </div>
    </div>
  );
}
