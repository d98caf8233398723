import { useEffect, useState } from "preact/hooks";

import type { ChangeEvent } from "../src/api.ts";
import type { LiveMessage } from "./live-worker.ts";

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
    const receive = (message: LiveMessage): void => {
      if (message.type === "change") {
        const { spans: now } = JSON.parse(message.data) as ChangeEvent;
        setSpans(({ seen }) => ({ seen, now }));
      } else {
        setLost(message.type === "lost");
        if (message.type === "open") setRevision((last) => last + 1);
      }
    };
    return typeof SharedWorker === "undefined" ? subscribeAlone(receive) : subscribeShared(receive);
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

/** Subscribes through the worker that all tabs of the viewer share. */
function subscribeShared(receive: (message: LiveMessage) => void): () => void {
  const { port } = new SharedWorker(new URL("./live-worker.ts", import.meta.url), { type: "module" });
  const join = (): void => port.postMessage({ url: new URL("./api/changes", location.href).href });
  const leave = (): void => port.postMessage({ isLeaving: true });
  port.addEventListener("message", ({ data }: MessageEvent<LiveMessage>) => receive(data));
  port.start();
  join();
  // A page in the back-forward cache does not receive; it joins again when it is shown.
  addEventListener("pagehide", leave);
  addEventListener("pageshow", join);
  return () => {
    removeEventListener("pagehide", leave);
    removeEventListener("pageshow", join);
    leave();
  };
}

/** For browsers without shared workers: a tab that is hidden gives its connection to the others. */
function subscribeAlone(receive: (message: LiveMessage) => void): () => void {
  let source: EventSource | undefined;
  const follow = (): void => {
    source?.close();
    source = undefined;
    if (document.visibilityState === "hidden") return;
    source = new EventSource("./api/changes");
    source.addEventListener("open", () => receive({ type: "open" }));
    source.addEventListener("error", () => receive({ type: "lost" }));
    source.addEventListener("change", ({ data }: MessageEvent<string>) => receive({ type: "change", data }));
  };
  follow();
  document.addEventListener("visibilitychange", follow);
  return () => {
    document.removeEventListener("visibilitychange", follow);
    source?.close();
  };
}
