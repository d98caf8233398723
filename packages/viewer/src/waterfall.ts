import { styleText } from "node:util";

import { spanTree } from "./span-tree.ts";
import type { ViewedSpan } from "./span.ts";

export interface WaterfallOptions {
  /** Width of a line in characters. @default 100 */
  width?: number;
  /** @default false */
  color?: boolean;
}

/**
 * Formats a trace as text, one line for each span, children below their parent. A line has the span's start, its
 * duration, the budget on arrival, what ended it, and a bar on the time line of the trace.
 */
export function waterfall(spans: readonly ViewedSpan[], { width = 100, color = false }: WaterfallOptions = {}): string {
  if (spans.length === 0) return "(no spans)";
  const rows = spanTree(spans);
  const from = spans.reduce((least, { start }) => Math.min(least, start), Infinity);
  const to = spans.reduce((most, { end }) => Math.max(most, end), -Infinity);
  const cells = rows.map(({ span, depth }) => [
    printable(span.service),
    `${"  ".repeat(depth)}${isOutgoing(span) ? "→ " : ""}${printable(span.name)}`,
    `${(span.start - from).toFixed(1)} ms`,
    `${(span.end - span.start).toFixed(1)} ms`,
    budget(span),
    ending(span),
  ]);
  const head = ["service", "span", "start", "took", "budget", "ended by"];
  const widths = head.map((title, column) =>
    cells.reduce((most, row) => Math.max(most, row[column]!.length), title.length),
  );
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

/** A call, or a message that is sent. */
function isOutgoing({ kind }: ViewedSpan): boolean {
  return kind === "client" || kind === "producer";
}

/** Senders choose the names: control characters in them must not reach the terminal. */
function printable(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, "�");
}

function budget({ attributes }: ViewedSpan): string {
  const ms = attributes["throughline.deadline.budget_ms"];
  return typeof ms === "number" ? `${Math.floor(ms)} ms` : "-";
}

function ending({ attributes }: ViewedSpan): string {
  const by = attributes["throughline.ended_by"];
  const status = attributes["http.response.status_code"] ?? attributes["rpc.response.status_code"];
  if (by === undefined || by === "response") return status === undefined ? "-" : String(status);
  return status === undefined ? String(by) : `${by} (${status})`;
}

function bar(span: ViewedSpan, from: number, to: number, width: number): string {
  const scale = width / Math.max(to - from, 0.001);
  const left = Math.min(width - 1, Math.floor((span.start - from) * scale));
  const length = Math.max(1, Math.min(width - left, Math.round((span.end - span.start) * scale)));
  return " ".repeat(left) + (isOutgoing(span) ? "─" : "█").repeat(length);
}

function tone(span: ViewedSpan): "green" | "red" | "yellow" {
  const by = span.attributes["throughline.ended_by"];
  if (by === "client" || by === "cancel") return "yellow";
  return span.failed || by === "deadline" ? "red" : "green";
}
