import { useEffect, useState } from "preact/hooks";

import type { ChangeEvent } from "../src/api.ts";

export interface LiveUpdates {
  /** Increases when pages must fetch again. */
  readonly revision: number;
  readonly state: "live" | "paused" | "lost";
  /** Whether spans have arrived during a pause. */
  readonly hasMore: boolean;
  readonly toggle: () => void;
}

/** Minimum milliseconds between two revisions. */
const INTERVAL = 400;

/** Subscribes to the events of the server. */
export function useLiveUpdates(): LiveUpdates {
  const [revision, setRevision] = useState(0);
  const [isPaused, setPaused] = useState(false);
  const [isLost, setLost] = useState(false);
  const [spans, setSpans] = useState({ seen: 0, now: 0 });
  useEffect(() => {
    const source = new EventSource("./api/changes");
    source.addEventListener("change", ({ data }: MessageEvent<string>) => {
      const { spans: now } = JSON.parse(data) as ChangeEvent;
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
    }, INTERVAL);
    return () => clearTimeout(timer);
    // A change during the timer does not restart it.
  }, [isPaused, spans.now === spans.seen]);
  return {
    revision,
    state: isLost ? "lost" : isPaused ? "paused" : "live",
    hasMore: isPaused && spans.now !== spans.seen,
    toggle: () => setPaused((was) => !was),
  };
}
