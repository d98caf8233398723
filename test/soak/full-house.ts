import type { Line } from "./call.ts";
import { KINDS, wantedFor } from "./mix.ts";
import { CONCURRENCY, QUEUE } from "./room.ts";

/** How long they may take, in milliseconds: each runs for a few. */
const MOST = 5000;

/** Sends as many requests at once as a gate has room for. Returns whether all were served: a place that was never given back is missed here. */
export async function hasAllItsRoom(gate: string, lines: (count: number) => Line[]): Promise<boolean> {
  const kind = KINDS.find(({ path, seen }) => path.startsWith(`/${gate}/`) && seen.includes("503"))!;
  const all = lines(CONCURRENCY + QUEUE);
  const calls = all.map((line) => line.send(wantedFor(kind, 0)));
  const late = setTimeout(() => calls.forEach((call) => call.giveUp()), MOST);
  const seen = await Promise.all(calls.map(({ end }) => end));
  clearTimeout(late);
  for (const line of all) line.close();
  return seen.every((each) => each === "200");
}
