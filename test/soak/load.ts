import type { Call, Line } from "./call.ts";
import type { Drawn } from "./mix.ts";
import type { Tally } from "./tally.ts";

/** How long nothing may come of a request, in milliseconds, until it is given up. Nothing here takes a tenth of it. */
const MOST = 10_000;

/**
 * Sends so many requests over the lines, each waiting for one to end before it sends the next, and then closes them. When one had to be
 * given up no more is sent: all would be as slow.
 */
export async function load(lines: readonly Line[], draw: () => Drawn, requests: number, tally: Tally): Promise<void> {
  let left = requests;
  const open = new Set<Call>();
  async function work(line: Line): Promise<void> {
    while (left > 0 && !tally.hasHung) {
      const { kind, wanted, luck } = draw();
      left -= wanted.times;
      const call = line.send(wanted);
      open.add(call);
      kind.behave?.(call, luck);
      tally.of(kind).add(await call.end, wanted.times);
      open.delete(call);
    }
  }
  const guard = setInterval(() => {
    for (const call of open) if (performance.now() - call.since > MOST) call.giveUp();
  }, 1000);
  await Promise.all(lines.map(work));
  clearInterval(guard);
  for (const line of lines) line.close();
}
