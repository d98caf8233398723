import { useEffect, useRef, useState } from "preact/hooks";

import type { TimeRange } from "../src/analysis/time-axis.ts";
import { hueOf } from "./service-tag.tsx";
import type { TracePicture } from "./trace-picture.ts";

interface MinimapProps {
  readonly picture: TracePicture;
  readonly view: TimeRange;
  readonly onView: (view: TimeRange | undefined) => void;
}

const HEIGHT = 44;

/** The whole trace in little. Dragging selects the time to show; a double click shows all. */
export function Minimap({ picture, view, onView }: MinimapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { range } = picture;
  useEffect(() => {
    const element = canvas.current!;
    const draw = (): void => drawSpans(element, picture);
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    return () => observer.disconnect();
  }, [picture]);
  const { start, selection } = useRangeDrag(range, onView);
  const shown = selection ?? view;
  const at = (instant: number): number => ((instant - range.from) / (range.to - range.from)) * 100;
  const [left, right] = [Math.max(0, at(shown.from)), Math.min(100, at(shown.to))];
  return (
    <div
      class="minimap"
      onPointerDown={start}
      onDblClick={() => onView(undefined)}
      title="Drag to zoom; double-click to show the whole time"
      aria-hidden="true"
    >
      <canvas ref={canvas} height={HEIGHT} />
      <span class="minimap-shade" style={{ left: "0", width: `${left}%` }} />
      <span class="minimap-shade" style={{ left: `${right}%`, width: `${100 - right}%` }} />
    </div>
  );
}

/** Pixels that the pointer must move before it counts as dragging. */
const MIN_DRAG = 4;

export interface RangeDrag {
  readonly start: (event: PointerEvent) => void;
  /** The time selected so far, while the pointer is down. */
  readonly selection: TimeRange | undefined;
}

/** Selects a time by dragging over an element that shows a range from its left to its right edge. */
export function useRangeDrag(range: TimeRange, onView: (view: TimeRange) => void): RangeDrag {
  const [selection, setSelection] = useState<TimeRange | undefined>();
  const start = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    const timeAt = (x: number): number =>
      range.from + Math.max(0, Math.min(1, (x - left) / width)) * (range.to - range.from);
    let selected: TimeRange | undefined;
    const move = ({ clientX }: PointerEvent): void => {
      if (selected === undefined && Math.abs(clientX - event.clientX) < MIN_DRAG) return;
      const [one, other] = [timeAt(event.clientX), timeAt(clientX)];
      selected = { from: Math.min(one, other), to: Math.max(one, other) };
      setSelection(selected);
    };
    const end = (): void => {
      removeEventListener("pointermove", move);
      setSelection(undefined);
      if (selected !== undefined && selected.to > selected.from) onView(selected);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
    event.preventDefault();
  };
  return { start, selection };
}

function drawSpans(canvas: HTMLCanvasElement, { rows, range }: TracePicture): void {
  const width = Math.max(1, canvas.clientWidth);
  if (canvas.width !== width) canvas.width = width;
  const context = canvas.getContext("2d")!;
  context.clearRect(0, 0, width, HEIGHT);
  const scale = width / (range.to - range.from);
  const height = Math.max(1, Math.min(3, HEIGHT / rows.length));
  let hue: number | undefined;
  for (const isFailed of [false, true]) {
    for (const [index, { span }] of rows.entries()) {
      if (span.failed !== isFailed) continue;
      if (isFailed) context.fillStyle = "oklch(0.6 0.2 20)";
      else if (hue !== hueOf(span.service)) context.fillStyle = `oklch(0.65 0.13 ${(hue = hueOf(span.service))})`;
      const x = (span.start - range.from) * scale;
      context.fillRect(
        x,
        (index / rows.length) * (HEIGHT - height),
        Math.max(1, (span.end - span.start) * scale),
        height,
      );
    }
  }
}
