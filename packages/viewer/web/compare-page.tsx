import { useMemo } from "preact/hooks";

import { compareTraces } from "../src/analysis/comparison.ts";
import { durationText } from "../src/analysis/duration-text.ts";
import type { Trace } from "../src/api.ts";
import { CompareRows } from "./compare-rows.tsx";
import { Problem } from "./notice.tsx";
import { compareLink, traceLink } from "./route.ts";
import { knowServices } from "./service-tag.tsx";
import { TracePicture } from "./trace-picture.ts";
import { useFetched } from "./use-fetched.ts";
import { useKeys } from "./use-keys.ts";
import { backToList } from "./use-route.ts";

interface ComparePageProps {
  readonly before: string;
  readonly after: string;
}

export function ComparePage({ before, after }: ComparePageProps) {
  const first = useFetched<Trace>(`./api/traces/${before}`, 0);
  const second = useFetched<Trace>(`./api/traces/${after}`, 0);
  useKeys({ Escape: backToList, Backspace: backToList, "/": backToList });
  const rows = useMemo(
    () => first.value && second.value && compareTraces(first.value.spans, second.value.spans),
    [first.value, second.value],
  );
  const problem = first.problem ?? second.problem;
  if (problem !== undefined) return <Problem message={problem} />;
  if (rows === undefined) return <p class="loading">Loading …</p>;
  knowServices(rows.map(({ service }) => service));
  const added = rows.filter((row) => row.before === undefined).length;
  const removed = rows.filter((row) => row.after === undefined).length;
  return (
    <div class="compare-page">
      <h1 class="hidden">Comparison of two traces</h1>
      <section class="compare-heads" aria-label="The two traces">
        <TraceHead mark="A" trace={first.value!} />
        <TraceHead mark="B" trace={second.value!} />
      </section>
      <p class="compare-status" role="status">
        {rows.length - added - removed} spans in both, <b>{added}</b> only in B, <b>{removed}</b> only in A
        <span class="spring" />
        <a class="button" href={compareLink(after, before)}>
          Swap
        </a>
      </p>
      <CompareRows rows={rows} />
    </div>
  );
}

function TraceHead({ mark, trace }: { readonly mark: string; readonly trace: Trace }) {
  const { story, took, root } = useMemo(() => new TracePicture(trace.spans), [trace]);
  return (
    <article class={`compare-head tone-${story.tone}`}>
      <span class="compare-mark">{mark}</span>
      <div>
        <a href={traceLink(trace.traceId)}>
          {root.service} {root.name}
        </a>
        <span class="muted"> · {durationText(took)}</span>
        <p>{story.headline}</p>
      </div>
    </article>
  );
}
