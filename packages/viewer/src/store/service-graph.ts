import type { ServiceCall, ServiceGraph, ServiceNode } from "../api.ts";
import { durationOf, type ViewedSpan } from "../span.ts";
import type { TraceStore } from "./trace-store.ts";

/** Durations and failures of a service, or of the calls between two services. */
class CallStats {
  readonly #durations: number[] = [];
  failed = 0;

  add(span: ViewedSpan): void {
    this.#durations.push(Math.max(0, durationOf(span)));
    if (span.failed) this.failed += 1;
  }

  get figures(): { count: number; failed: number; p50: number; p95: number } {
    const sorted = this.#durations.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count: sorted.length, failed: this.failed, p50: at(0.5), p95: at(0.95) };
  }
}

/** Counts the calls between services: a span is a call if its parent belongs to another service. */
export function serviceGraph(store: TraceStore): ServiceGraph {
  const services = new Map<string, CallStats>();
  const calls = new Map<string, Map<string, CallStats>>();
  for (const spans of store.traces()) {
    for (const span of spans.values()) {
      const stats = statsOf(services, span.service);
      const above = span.parentSpanId === undefined ? undefined : spans.get(span.parentSpanId);
      if (above !== undefined && above.service !== span.service) {
        let from = calls.get(above.service);
        if (from === undefined) calls.set(above.service, (from = new Map()));
        statsOf(from, span.service).add(span);
      }
      // A span is a request if it arrives from outside of its service.
      if (above?.service !== span.service) stats.add(span);
    }
  }
  return {
    services: [...services].map(([name, stats]): ServiceNode => ({ name, ...stats.figures })),
    calls: [...calls].flatMap(([from, all]) =>
      [...all].map(([to, stats]): ServiceCall => ({ from, to, ...stats.figures })),
    ),
  };
}

function statsOf(all: Map<string, CallStats>, name: string): CallStats {
  let stats = all.get(name);
  if (stats === undefined) all.set(name, (stats = new CallStats()));
  return stats;
}
