import type { ViewedSpan } from "@throughline/viewer";

/** Where the page shows a trace, and the details of a span of it. */
export function traceHash([first]: readonly ViewedSpan[], spanId?: string): string {
  return `#/trace/${first!.traceId}${spanId === undefined ? "" : `?span=${spanId}`}`;
}

export function idOf(spans: readonly ViewedSpan[], service: string, name: string): string {
  return spans.find((span) => span.service === service && span.name === name)!.spanId;
}
