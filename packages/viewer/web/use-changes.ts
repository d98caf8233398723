import { useEffect, useState } from "preact/hooks";

import type { Change } from "../src/api.ts";

export interface Changes {
  /** Grows when there is something new to look at. */
  readonly revision: number;
  readonly state: "live" | "paused" | "lost";
  /** Whether spans have come in while it was paused. */
  readonly hasMore: boolean;
  readonly toggle: () => void;
}

/** So that a busy system does not make the page ask all the time. */
const BETWEEN = 400;

/** Follows what comes in, until it is paused. */
export function useChanges(): Changes {
  const [revision, setRevision] = useState(0);
  const [isPaused, setPaused] = useState(false);
  const [isLost, setLost] = useState(false);
  const [spans, setSpans] = useState({ seen: 0, now: 0 });
  useEffect(() => {
    const source = new EventSource("./api/changes");
    source.addEventListener("change", ({ data }: MessageEvent<string>) => {
      const { spans: now } = JSON.parse(data) as Change;
      setSpans(({ seen }) => ({ seen, now }));
    });
    source.addEventListener("open", () => {
      setLost(false);
      setRevision((last) => last + 1);
    });
    source.addEventListener("error", () => setLost(true));
    return () => source.close();
  }, []);
  useEffect(() => {
    if (isPaused || spans.now === spans.seen) return undefined;
    const timer = setTimeout(() => {
      setSpans(({ now }) => ({ seen: now, now }));
      setRevision((last) => last + 1);
    }, BETWEEN);
    return () => clearTimeout(timer);
    // A change that comes while the timer runs is looked at with it, not later.
  }, [isPaused, spans.now === spans.seen]);
  return {
    revision,
    state: isLost ? "lost" : isPaused ? "paused" : "live",
    hasMore: isPaused && spans.now !== spans.seen,
    toggle: () => setPaused((was) => !was),
  };
}
