import { useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { durationText } from "../src/analysis/duration-text.ts";
import { layOut, type PlacedNode } from "../src/analysis/graph-layout.ts";
import { type CallLine, callLines } from "../src/analysis/graph-lines.ts";
import type { ServiceGraph } from "../src/api.ts";
import { listLink } from "./route.ts";
import { hueOf, knowServices } from "./service-tag.tsx";
import { type ElementSize, useElementSize } from "./use-element-size.ts";

const ACROSS = 320;
const DOWN = 128;
const BOX = { width: 184, height: 76 };

/** A graph that is much higher than the page is not drawn smaller than this, unless it is also wider. */
const MIN_SCALE = 0.6;

/** Returns the scale at which a graph fits a space. */
function fitting({ width, height }: ElementSize, space: ElementSize | undefined): number {
  if (space === undefined) return 1;
  return Math.min(1, space.width / width, Math.max(space.height / height, MIN_SCALE));
}

export function GraphDrawing({ graph, zoom }: { readonly graph: ServiceGraph; readonly zoom: number | undefined }) {
  const { nodes, calls, width, height } = useMemo(() => layOut(graph, { across: ACROSS, down: DOWN }), [graph]);
  const lines = useMemo(() => callLines(calls, BOX), [calls]);
  knowServices(graph.services.map(({ name }) => name));
  const scroller = useRef<HTMLDivElement>(null);
  const space = useElementSize(scroller);
  const scale = zoom ?? fitting({ width, height }, space);
  // The first callers are in the middle of a graph that is higher than the page.
  useLayoutEffect(() => {
    const element = scroller.current!;
    element.scrollTop = (element.scrollHeight - element.clientHeight) / 2;
  }, [graph.services.length, scale]);
  return (
    <div class="graph-scroller" ref={scroller} tabIndex={0} role="region" aria-label="Graph of the services">
      <svg
        class="graph"
        style={{ width: `${width * scale}px`, height: `${height * scale}px` }}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label="Services"
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerUnits="userSpaceOnUse"
            markerWidth="10"
            markerHeight="10"
            orient="auto"
          >
            <path d="M0 0 8 4 0 8z" class="arrow" />
          </marker>
        </defs>
        {lines.map((line) => (
          <Curve key={`${line.call.from} ${line.call.to}`} {...line} />
        ))}
        {/* Labels come last, so that no line crosses them. */}
        {lines.map(({ call, label }) => (
          <text key={`${call.from} ${call.to}`} class="call-label" x={label.x} y={label.y - 5} aria-hidden="true">
            {call.count.toLocaleString("en")} × {durationText(call.p50)}
          </text>
        ))}
        {nodes.map((placed) => (
          <ServiceBox key={placed.node.name} {...placed} />
        ))}
      </svg>
    </div>
  );
}

function Curve({ call, path }: CallLine) {
  return (
    <g class={call.failed > 0 ? "call has-failed" : "call"}>
      <title>{`${call.from} → ${call.to}: ${figures(call)}`}</title>
      <path d={path} stroke-width={1.25 + Math.log10(call.count + 1)} marker-end="url(#arrow)" />
    </g>
  );
}

function ServiceBox({ node, x, y }: PlacedNode) {
  const { name, count, failed, p50, p95 } = node;
  const [left, top] = [x - BOX.width / 2, y - BOX.height / 2];
  const share = failed / Math.max(1, count);
  return (
    <a
      href={listLink({ service: name })}
      class="service-box"
      style={{ "--hue": hueOf(name) }}
      aria-label={`${name}: ${figures(node)}`}
    >
      <rect x={left} y={top} width={BOX.width} height={BOX.height} rx="10" class="box" />
      <circle cx={left + 17} cy={top + 20} r="5" class="box-dot" />
      <text x={left + 29} y={top + 24.5} class="box-name">
        {shortened(name)}
      </text>{" "}
      {/* The order of the label: a name must contain the visible text. */}
      <text x={left + 12} y={top + 44} class={share > 0 ? "box-figures has-failed" : "box-figures"}>
        {countText(count)}
        {share > 0 && ` · ${percent(share)} failed`}
      </text>{" "}
      <text x={left + 12} y={top + 61} class="box-figures">
        p50 {durationText(p50)} · p95 {durationText(p95)}
      </text>{" "}
    </a>
  );
}

function figures({ count, failed, p50, p95 }: Omit<PlacedNode["node"], "name">): string {
  const share = failed === 0 ? "" : `${percent(failed / Math.max(1, count))} failed, `;
  return `${countText(count)}, ${share}p50 ${durationText(p50)}, p95 ${durationText(p95)}`;
}

function countText(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "request" : "requests"}`;
}

function percent(share: number): string {
  return `${share > 0 && share < 0.01 ? "< 1" : Math.round(share * 100)} %`;
}

function shortened(name: string): string {
  return name.length > 19 ? `${name.slice(0, 18)}…` : name;
}
