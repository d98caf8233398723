import { useMemo, useState } from "preact/hooks";

import { neighborhood } from "../src/analysis/graph-layout.ts";
import type { ServiceGraph } from "../src/api.ts";
import { GraphDrawing } from "./graph-drawing.tsx";
import { Notice, Problem } from "./notice.tsx";
import { useFetched } from "./use-fetched.ts";
import { useKeys } from "./use-keys.ts";
import { backToList } from "./use-route.ts";

export function GraphPage({ revision }: { readonly revision: number }) {
  const { value: graph, problem } = useFetched<ServiceGraph>("./api/graph", revision);
  const [filter, setFilter] = useState("");
  const [zoom, setZoom] = useState<number | undefined>();
  const shown = useMemo(() => graph && neighborhood(graph, filter), [graph, filter]);
  useKeys({
    "+": () => setZoom(zoomed(zoom, 1.25)),
    "-": () => setZoom(zoomed(zoom, 0.8)),
    Escape: backToList,
    Backspace: backToList,
    "/": backToList,
  });
  if (problem !== undefined) return <Problem message={problem} />;
  if (graph === undefined) return <p class="loading">Loading …</p>;
  if (graph.services.length === 0) {
    return (
      <Notice title="No services yet" isPage>
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
      <div class="graph-tools">
        <input
          type="search"
          aria-label="Filter services"
          placeholder="Filter services"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
        <span class="muted" role="status">
          {shown!.services.length} of {graph.services.length} services
        </span>
        <span class="spring" />
        <button type="button" aria-label="Zoom out" onClick={() => setZoom(zoomed(zoom, 0.8))}>
          −
        </button>
        <button type="button" onClick={() => setZoom(undefined)}>
          {zoom === undefined ? "Fit" : `${Math.round(zoom * 100)} %`}
        </button>
        <button type="button" aria-label="Zoom in" onClick={() => setZoom(zoomed(zoom, 1.25))}>
          +
        </button>
      </div>
      <GraphDrawing graph={shown!} zoom={zoom} />
    </section>
  );
}

/** @param zoom `undefined` if the graph fits the page */
function zoomed(zoom: number | undefined, by: number): number {
  return Math.max(0.2, Math.min(3, (zoom ?? 1) * by));
}
