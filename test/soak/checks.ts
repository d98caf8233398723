import type { EndedBy } from "@throughline/http/adapter";

import { KINDS } from "./kinds.ts";
import type { OutcomeCounts } from "./outcome-counts.ts";
import type { Report } from "./server.ts";

/** A claim, whether it holds, and the evidence. */
export interface Check {
  readonly claim: string;
  readonly holds: boolean;
  readonly found: string;
}

/** The largest growth of the heap from half-way to the end, in bytes. */
const GROWTH = 2 * 2 ** 20;

/** Compares the results for clients and the server's reports with the kinds of the requests. */
export function checkEnds(
  counts: OutcomeCounts,
  requests: number,
  { endCounts, started, ended, failures }: Report,
): Check[] {
  const unexpected: string[] = [];
  const misreported: string[] = [];
  for (const [number, kind] of KINDS.entries()) {
    const seen = counts.of(kind);
    const others = seen.except([...kind.seen, "session lost"]);
    if (others > 0) unexpected.push(`${kind.name} (${others})`);
    const wrong = Object.entries(endCounts[number] ?? {}).filter(([by]) => !kind.ended.includes(by as EndedBy));
    // The server reports a disconnect for clients whose shared session was lost.
    const count = wrong.reduce((sum, [, each]) => sum + each, 0) - seen.of("session lost");
    if (count > 0) misreported.push(`${kind.name} (${count})`);
  }
  return [
    check("all requests were sent", counts.total >= requests, `${counts.total} of ${requests}`),
    check("each client saw an expected result", unexpected.length === 0, unexpected.join(", ")),
    check("the server reports for each request what ended it", misreported.length === 0, misreported.join(", ")),
    check("each request that arrived has ended", started === ended && ended > 0, `${ended} of ${started}`),
    check("no uncaught error, no warning", isEmpty(failures), JSON.stringify(failures, undefined, 2)),
  ];
}

/** Compares what the server holds after all requests with what it held before the first. */
export function checkHeld(before: Report, after: Report): Check[] {
  const { requests, sessions, deadlines, connections, resources, alive } = after.held;
  return [
    check("no request is active", requests === 0, `${requests}`),
    check("no session is open", sessions === 0, `${sessions}`),
    check("no deadline is armed", deadlines === 0, `${deadlines}`),
    check("no connection is open", connections === 0, `${connections}`),
    check("no socket and no timer is left", resources === before.held.resources, resources),
    ...Object.entries(alive).map(([name, count]) => {
      const most = before.held.alive[name]!;
      return check(`no new ${name} is alive`, count <= most, `${count}, at the start ${most}`);
    }),
  ];
}

/** @param heap used bytes after each quarter of the requests */
export function checkHeap(heap: readonly number[]): Check {
  const growth = heap.at(-1)! - heap[1]!;
  const found = `${heap.map((each) => (each / 2 ** 20).toFixed(2)).join(", ")} MiB after each quarter`;
  return check("the heap does not grow", growth < GROWTH, found);
}

export function check(claim: string, holds: boolean, found = ""): Check {
  return { claim, holds, found };
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}
