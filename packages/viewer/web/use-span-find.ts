import { useEffect, useMemo, useState } from "preact/hooks";

import type { SpanQuery } from "../src/analysis/span-search.ts";
import type { ViewedSpan } from "../src/span.ts";
import type { TracePicture } from "./trace-picture.ts";

export interface SpanFind {
  readonly query: SpanQuery;
  /** Whether the query asks for anything. */
  readonly isActive: boolean;
  readonly matches: readonly ViewedSpan[];
  readonly matchIds: ReadonlySet<string>;
  /** Index of the current match. */
  readonly place: number;
  readonly setQuery: (query: SpanQuery) => void;
  /** Goes to the next or the previous match, and from the last to the first. */
  readonly step: (by: 1 | -1) => void;
}

/** Number of spans to prepare for the search at a time, so that the page stays responsive. */
const CHUNK = 2000;

/** Finds spans of a trace. The first match is shown at once. */
export function useSpanFind(picture: TracePicture, show: (spanId: string) => void): SpanFind {
  const [query, setQuery] = useState<SpanQuery>({ text: "" });
  const [place, setPlace] = useState(0);
  useEffect(() => {
    let timer = setTimeout(function prepare() {
      if (picture.search.prepare(CHUNK)) timer = setTimeout(prepare, 10);
    }, 200);
    return () => clearTimeout(timer);
  }, [picture]);
  const matches = useMemo(() => picture.search.find(query), [picture, query]);
  const matchIds = useMemo(() => new Set(matches.map(({ spanId }) => spanId)), [matches]);
  const goTo = (index: number, all: readonly ViewedSpan[]): void => {
    setPlace(index);
    const match = all[index];
    if (match !== undefined) show(match.spanId);
  };
  return {
    query,
    isActive: query.text.trim() !== "" || query.service !== undefined,
    matches,
    matchIds,
    place: Math.min(place, Math.max(0, matches.length - 1)),
    setQuery(next) {
      setQuery(next);
      goTo(0, picture.search.find(next));
    },
    step(by) {
      if (matches.length > 0) goTo((place + by + matches.length) % matches.length, matches);
    },
  };
}
