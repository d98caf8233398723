import type { EndedBy } from "@throughline/http/adapter";

import { KINDS } from "./mix.ts";
import type { Report } from "./server.ts";
import type { Tally } from "./tally.ts";

/** What is claimed, whether it holds, and what was found. */
export interface Check {
  readonly claim: string;
  readonly holds: boolean;
  readonly found: string;
}

/** Bytes by which the heap may be larger at the end than half-way. */
const GROWTH = 2 * 2 ** 20;

/** What clients saw, and what the server says of the same requests. */
export function checkEnds(tally: Tally, requests: number, { endings, begun, over, failures }: Report): Check[] {
  const unexpected: string[] = [];
  const untold: string[] = [];
  for (const [number, kind] of KINDS.entries()) {
    const seen = tally.of(kind);
    const others = seen.except([...kind.seen, "taken along"]);
    if (others > 0) unexpected.push(`${kind.name} (${others})`);
    const told = Object.entries(endings[number] ?? {}).filter(([by]) => !kind.ended.includes(by as EndedBy));
    // To the server, clients whose connection was taken along have left.
    const count = told.reduce((sum, [, each]) => sum + each, 0) - seen.of("taken along");
    if (count > 0) untold.push(`${kind.name} (${count})`);
  }
  return [
    check("all requests were sent", tally.total >= requests, `${tally.total} of ${requests}`),
    check("each client saw what it was to see", unexpected.length === 0, unexpected.join(", ")),
    check("the server says of each what ended it", untold.length === 0, untold.join(", ")),
    check("each request that arrived is over", begun === over && over > 0, `${over} of ${begun}`),
    check(
      "nothing was thrown that nobody caught, no warning",
      isEmpty(failures),
      JSON.stringify(failures, undefined, 2),
    ),
  ];
}

/** What the server holds when all is over, beside what it held before the first request. */
export function checkRemains(before: Report, after: Report): Check[] {
  const { exchanges, sessions, deadlines, connections, resources, alive } = after.remains;
  return [
    check("no request is taken for running", exchanges === 0, `${exchanges}`),
    check("no session is taken for open", sessions === 0, `${sessions}`),
    check("no deadline is armed", deadlines === 0, `${deadlines}`),
    check("no connection is open", connections === 0, `${connections}`),
    check("no socket, no timer is left", resources === before.remains.resources, resources),
    ...Object.entries(alive).map(([name, count]) => {
      const most = before.remains.alive[name]!;
      return check(
        `no ${name} is alive but those of the beginning`,
        count <= most,
        `${count}, ${most} in the beginning`,
      );
    }),
  ];
}

/** @param heap bytes in use after each quarter of the requests */
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
