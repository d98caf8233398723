import { KINDS } from "./kinds.ts";
import type { OutcomeCounts } from "./outcome-counts.ts";
import type { Report } from "./server.ts";

/**
 * Prints for each kind the number of requests, the results for clients, and what ended them according to the server.
 */
export function printTable(counts: OutcomeCounts, { endCounts }: Report): void {
  const rows = KINDS.map((kind, number) => {
    const seen = counts.of(kind);
    const ends = Object.entries(endCounts[number] ?? {}).sort(([, a], [, b]) => b - a);
    return [
      kind.name,
      String(seen.total),
      seen.toString(),
      ends.map(([endedBy, count]) => `${count} ${endedBy}`).join(", "),
    ];
  });
  const all = [["kind", "sent", "the client saw", "ended by, in the server's spans"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]!.length)));
  for (const [name, sent, seen, ended] of all) {
    console.log(`${name!.padEnd(widths[0]!)}  ${sent!.padStart(widths[1]!)}  ${seen!.padEnd(widths[2]!)}  ${ended}`);
  }
}
