import { KINDS } from "./mix.ts";
import type { Report } from "./server.ts";
import type { Tally } from "./tally.ts";

/** What was sent, kind by kind, how it ended for the client, and what the server says that ended it. */
export function printTable(tally: Tally, { endings }: Report): void {
  const rows = KINDS.map((kind, number) => {
    const seen = tally.of(kind);
    const told = Object.entries(endings[number] ?? {}).sort(([, a], [, b]) => b - a);
    return [
      kind.name,
      String(seen.total),
      seen.toString(),
      told.map(([endedBy, count]) => `${count} ${endedBy}`).join(", "),
    ];
  });
  const all = [["kind", "sent", "the client saw", "ended, says the server, by"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]!.length)));
  for (const [name, sent, seen, told] of all) {
    console.log(`${name!.padEnd(widths[0]!)}  ${sent!.padStart(widths[1]!)}  ${seen!.padEnd(widths[2]!)}  ${told}`);
  }
}
