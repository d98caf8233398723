import type { CSSProperties } from "preact";
import { useState } from "preact/hooks";

export interface ColumnWidth {
  /** Sets `--name-width` if the user has chosen a width. */
  readonly style: CSSProperties;
  readonly start: (event: PointerEvent) => void;
  readonly reset: () => void;
}

const KEY = "throughline.name-width";
const MIN_WIDTH = 120;

/** The width of the column of names, which the user drags; it is remembered. */
export function useColumnWidth(): ColumnWidth {
  const [width, setWidth] = useState<number | undefined>(readWidth);
  const start = (event: PointerEvent): void => {
    event.preventDefault();
    const column = (event.currentTarget as Element).parentElement!;
    const from = column.getBoundingClientRect().width - event.clientX;
    const most = column.parentElement!.getBoundingClientRect().width * 0.7;
    const move = ({ clientX }: PointerEvent): void => setWidth(Math.max(MIN_WIDTH, Math.min(most, from + clientX)));
    const end = ({ clientX }: PointerEvent): void => {
      removeEventListener("pointermove", move);
      store(String(Math.round(Math.max(MIN_WIDTH, Math.min(most, from + clientX)))));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
  };
  const reset = (): void => {
    setWidth(undefined);
    store("");
  };
  return { style: width === undefined ? {} : { "--name-width": `${width}px` }, start, reset };
}

function readWidth(): number | undefined {
  try {
    return Number(localStorage.getItem(KEY)) || undefined;
  } catch {
    return undefined;
  }
}

function store(text: string): void {
  try {
    localStorage.setItem(KEY, text);
  } catch {
    // Without storage the width lasts until the page is closed.
  }
}
