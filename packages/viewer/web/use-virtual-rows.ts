import type { RefObject } from "preact";
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";

import { scrollTo, type VirtualWindow, virtualWindow } from "../src/analysis/virtual-window.ts";

export interface VirtualRows extends VirtualWindow {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly onScroll: () => void;
  /** Scrolls to a row with the least movement. */
  readonly reveal: (row: number) => void;
}

/** Tracks the rows in view of a scrolling element. */
export function useVirtualRows(count: number, rowHeight: number): VirtualRows {
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  const measure = useCallback(() => {
    const { scrollTop, clientHeight } = scroller.current!;
    setView((last) =>
      last.top === scrollTop && last.height === clientHeight ? last : { top: scrollTop, height: clientHeight },
    );
  }, []);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(measure);
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, [measure]);
  const reveal = useCallback(
    (row: number) => {
      const element = scroller.current!;
      element.scrollTop = scrollTo(row, element.scrollTop, element.clientHeight, rowHeight);
      measure();
    },
    [rowHeight, measure],
  );
  return { ...virtualWindow(view.top, view.height, rowHeight, count), scroller, onScroll: measure, reveal };
}
