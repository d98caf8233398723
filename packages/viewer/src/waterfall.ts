import { styleText } from "node:util";

import type { ViewedSpan } from "./span.ts";

export interface WaterfallOptions {
  /** Columns of the terminal. @default 100 */
  width?: number;
  /** @default false */
  color?: boolean;
}

interface Row {
  readonly span: ViewedSpan;
  readonly depth: number;
}

/**
 * A trace as lines of text: one span a line, children below their parent, with its start and duration, what was left of the
 * deadline when it arrived, how it ended, and a bar on the trace's time line.
 */
export function waterfall(spans: readonly ViewedSpan[], { width = 100, color = false }: WaterfallOptions = {}): string {
  if (spans.length === 0) return "(no spans)";
  const rows = tree(spans);
  const from = Math.min(...spans.map((span) => span.start));
  const to = Math.max(...spans.map((span) => span.end));
  const cells = rows.map(({ span, depth }) => [
    span.service,
    `${"  ".repeat(depth)}${span.kind === "client" ? "→ " : ""}${span.name}`,
    `${(span.start - from).toFixed(1)} ms`,
    `${(span.end - span.start).toFixed(1)} ms`,
    budget(span),
    ending(span),
  ]);
  const head = ["service", "span", "start", "took", "budget", "ended by"];
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  const barWidth = Math.max(12, width - widths.reduce((sum, each) => sum + each + 2, 0));
  const right = new Set([2, 3, 4]);
  const line = (row: readonly string[]): string =>
    row
      .map((text, column) => (right.has(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)))
      .join("  ");
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    color ? styleText(style, text, { validateStream: false }) : text;

  return [
    paint("bold", line(head).trimEnd()),
    ...rows.map(({ span }, index) =>
      `${line(cells[index]!)}  ${paint(tone(span), bar(span, from, to, barWidth))}`.trimEnd(),
    ),
  ].join("\n");
}

/** Parents before children, siblings by start. A span whose parent is not here stands at the left. */
function tree(spans: readonly ViewedSpan[]): Row[] {
  const known = new Set(spans.map((span) => span.spanId));
  const children = Map.groupBy(spans, (span) =>
    span.parentSpanId !== undefined && known.has(span.parentSpanId) ? span.parentSpanId : "",
  );
  const rows: Row[] = [];
  const visit = (id: string, depth: number): void => {
    for (const span of (children.get(id) ?? []).toSorted((a, b) => a.start - b.start)) {
      rows.push({ span, depth });
      visit(span.spanId, depth + 1);
    }
  };
  visit("", 0);
  return rows;
}

function budget({ attributes }: ViewedSpan): string {
  const ms = attributes["throughline.deadline.budget_ms"];
  return typeof ms === "number" ? `${Math.floor(ms)} ms` : "-";
}

function ending({ attributes }: ViewedSpan): string {
  const by = attributes["throughline.ended_by"];
  const status = attributes["http.response.status_code"];
  if (by === undefined || by === "response") return status === undefined ? "-" : String(status);
  return status === undefined ? String(by) : `${by} (${status})`;
}

function bar(span: ViewedSpan, from: number, to: number, width: number): string {
  const scale = width / Math.max(to - from, 0.001);
  const left = Math.min(width - 1, Math.floor((span.start - from) * scale));
  const length = Math.max(1, Math.min(width - left, Math.round((span.end - span.start) * scale)));
  return " ".repeat(left) + (span.kind === "client" ? "─" : "█").repeat(length);
}

function tone(span: ViewedSpan): "green" | "red" | "yellow" {
  const by = span.attributes["throughline.ended_by"];
  if (by === "client" || by === "cancel") return "yellow";
  return span.failed || by === "deadline" ? "red" : "green";
}
