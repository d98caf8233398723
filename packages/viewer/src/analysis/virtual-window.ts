/** Which rows of a long list are worth drawing. */
export interface VirtualWindow {
  readonly first: number;
  /** The one after the last. */
  readonly end: number;
}

/** Rows beyond either edge, so that a quick scroll does not show bare ground. */
const BEYOND = 10;

export function virtualWindow(scrollTop: number, height: number, rowHeight: number, count: number): VirtualWindow {
  const top = Math.max(0, Math.floor(scrollTop / rowHeight) - BEYOND);
  const bottom = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + BEYOND);
  return { first: Math.min(top, count), end: Math.max(Math.min(top, count), bottom) };
}

/** Where to scroll so that a row is in full view; nowhere else if it already is. */
export function scrollTo(row: number, scrollTop: number, height: number, rowHeight: number): number {
  const [top, bottom] = [row * rowHeight, (row + 1) * rowHeight];
  if (top < scrollTop) return top;
  return bottom > scrollTop + height ? bottom - height : scrollTop;
}
