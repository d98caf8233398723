/** The range of rows of a long list to draw. */
export interface VirtualWindow {
  readonly first: number;
  /** Index after the last row. */
  readonly end: number;
}

/** Number of rows drawn beyond each edge, so that fast scrolling does not show gaps. */
const OVERSCAN = 10;

export function virtualWindow(scrollTop: number, height: number, rowHeight: number, count: number): VirtualWindow {
  const top = Math.max(0, Math.floor(scrollTop / rowHeight) - OVERSCAN);
  const bottom = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + OVERSCAN);
  return { first: Math.min(top, count), end: Math.max(Math.min(top, count), bottom) };
}

/** Returns the scroll position that shows a row fully, with the least movement. */
export function scrollTo(row: number, scrollTop: number, height: number, rowHeight: number): number {
  const [top, bottom] = [row * rowHeight, (row + 1) * rowHeight];
  if (top < scrollTop) return top;
  return bottom > scrollTop + height ? bottom - height : scrollTop;
}
