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
        <p>Services appear here as their traces arrive.</p>
      </Notice>
    );
  }
  return (
    <section class="graph-page">
      <h1>Who calls whom</h1>
      <p class="muted">
        Counted over all stored traces. A line shows the number of calls and their median duration. Select a service to
        list its traces.
      </p>
      <GraphDrawing graph={graph} />
    </section>
  );
}
