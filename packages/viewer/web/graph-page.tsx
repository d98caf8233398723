import type { ServiceGraph } from "../src/api.ts";
import { GraphDrawing } from "./graph-drawing.tsx";
import { Notice, Problem } from "./notice.tsx";
import { useFetched } from "./use-fetched.ts";
import { useKeys } from "./use-keys.ts";
import { backToList } from "./use-route.ts";

export function GraphPage({ revision }: { readonly revision: number }) {
  const { value: graph, problem } = useFetched<ServiceGraph>("./api/graph", revision);
  useKeys({ Escape: backToList, Backspace: backToList, "/": backToList });
  if (problem !== undefined) return <Problem message={problem} />;
  if (graph === undefined) return <p class="loading">Loading …</p>;
  if (graph.services.length === 0) {
    return (
      <Notice title="No services yet">
        <p>They appear here as their traces come in.</p>
      </Notice>
    );
  }
  return (
    <section class="graph-page">
      <h1>Who calls whom</h1>
      <p class="muted">
        Over all traces that are stored. On a line: how many calls, and their median. A service leads to its traces.
      </p>
      <GraphDrawing graph={graph} />
    </section>
  );
}
