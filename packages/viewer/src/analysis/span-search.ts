import type { AttributeValue, ViewedSpan } from "../span.ts";

/** What to find in a trace. */
export interface SpanQuery {
  /** Text in the name, service, ids, status message, attributes or events; `key=value` for an attribute. */
  readonly text: string;
  readonly service?: string | undefined;
  readonly onlyErrors?: boolean;
}

/** Finds spans of a trace. It keeps one text for each span, so that a search reads no attributes. */
export class SpanSearch {
  readonly #spans: readonly ViewedSpan[];
  readonly #texts: string[] = [];
  #last: { readonly key: string; readonly matches: ViewedSpan[] } | undefined;

  /** @param spans in the order of the matches */
  constructor(spans: readonly ViewedSpan[]) {
    this.#spans = spans;
  }

  /**
   * Prepares the texts of some spans, so that the first search does not wait for all.
   *
   * @returns whether spans are left to prepare
   */
  prepare(count: number): boolean {
    const end = Math.min(this.#spans.length, this.#texts.length + count);
    for (let at = this.#texts.length; at < end; at++) this.#texts.push(searchText(this.#spans[at]!));
    return end < this.#spans.length;
  }

  /** Returns the spans that match, in order. */
  find({ text, service, onlyErrors = false }: SpanQuery): ViewedSpan[] {
    const wanted = text.trim().toLowerCase();
    if (wanted === "" && service === undefined && !onlyErrors) return [];
    const key = JSON.stringify([wanted, service, onlyErrors]);
    if (this.#last?.key === key) return this.#last.matches;
    this.prepare(Infinity);
    const matches = this.#spans.filter(
      (span, index) =>
        (!onlyErrors || span.failed) &&
        (service === undefined || span.service === service) &&
        (wanted === "" || this.#texts[index]!.includes(wanted)),
    );
    this.#last = { key, matches };
    return matches;
  }
}

/** The fields in lower case, one a line. */
function searchText(span: ViewedSpan): string {
  const lines = [span.name, span.service, span.spanId, span.parentSpanId ?? "", span.statusMessage ?? ""];
  addAttributes(lines, span.attributes);
  for (const event of span.events ?? []) {
    lines.push(event.name);
    addAttributes(lines, event.attributes);
  }
  return lines.join("\n").toLowerCase();
}

function addAttributes(lines: string[], attributes: Readonly<Record<string, AttributeValue>>): void {
  for (const key in attributes) lines.push(`${key}=${String(attributes[key])}`);
}
