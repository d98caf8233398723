import type { ServiceCall, ServiceGraph, ServiceNode } from "../api.ts";
import type { ViewedSpan } from "../span.ts";
import type { TraceStore } from "./trace-store.ts";

/** Durations and failures of what is counted together. */
class Tally {
  readonly #durations: number[] = [];
  failed = 0;

  add({ start, end, failed }: ViewedSpan): void {
    this.#durations.push(end - start);
    if (failed) this.failed += 1;
  }

  get figures(): { count: number; failed: number; p50: number; p95: number } {
    const sorted = this.#durations.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count: sorted.length, failed: this.failed, p50: at(0.5), p95: at(0.95) };
  }
}

/** Who calls whom: a call leads from the service above a span to the service of the span, where these differ. */
export function serviceGraph(store: TraceStore): ServiceGraph {
  const services = new Map<string, Tally>();
  const calls = new Map<string, Map<string, Tally>>();
  for (const spans of store.traces()) {
    for (const span of spans.values()) {
      const tally = tallyOf(services, span.service);
      const above = span.parentSpanId === undefined ? undefined : spans.get(span.parentSpanId);
      if (above !== undefined && above.service !== span.service) {
        let from = calls.get(above.service);
        if (from === undefined) calls.set(above.service, (from = new Map()));
        tallyOf(from, span.service).add(span);
      }
      // A request is what came from outside of the service.
      if (above?.service !== span.service) tally.add(span);
    }
  }
  return {
    services: [...services].map(([name, tally]): ServiceNode => ({ name, ...tally.figures })),
    calls: [...calls].flatMap(([from, all]) =>
      [...all].map(([to, tally]): ServiceCall => ({ from, to, ...tally.figures })),
    ),
  };
}

function tallyOf(tallies: Map<string, Tally>, name: string): Tally {
  let tally = tallies.get(name);
  if (tally === undefined) tallies.set(name, (tally = new Tally()));
  return tally;
}
