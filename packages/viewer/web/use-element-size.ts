import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

export interface ElementSize {
  readonly width: number;
  readonly height: number;
}

/** Tracks the size of an element in pixels, without its padding; `undefined` until it is known. */
export function useElementSize(element: RefObject<Element | null>): ElementSize | undefined {
  const [size, setSize] = useState<ElementSize | undefined>();
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      setSize({ width, height });
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return size;
}
