import { availableParallelism, cpus } from "node:os";

import { measure } from "mitata";

import { goResults } from "./go.ts";
import { growth } from "./growth.ts";
import { type Operation, operations, withTimeoutConcurrency } from "./operations.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 3);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Where results go, so that none is known to be unused. */
export let result: unknown;

/** Mean nanoseconds of a call, garbage collection included, as Go tells it. What a call leaves to a microtask is waited for where it says so. */
async function nanoseconds(run: () => unknown, leavesWork = false): Promise<number> {
  const timed = leavesWork
    ? async () => {
        result = await run();
      }
    : () => {
        result = run();
      };
  const { avg } = await measure(timed, { min_cpu_time: 100_000_000 });
  await new Promise(setImmediate);
  return avg;
}

interface Row {
  readonly operation: Operation;
  readonly ours: number[];
  readonly peer: number[];
  readonly go: number[];
}

async function round(rows: readonly Row[]): Promise<void> {
  const go = goResults();
  for (const { operation, ...results } of rows) {
    if (operation.name.startsWith("WithTimeout/concurrency")) {
      const { operation: prepared, release } = withTimeoutConcurrency(Number(operation.name.split("=")[1]));
      results.ours.push(await nanoseconds(prepared.ours));
      release();
    } else {
      results.ours.push((await nanoseconds(operation.ours, operation.leavesWork)) / (operation.times ?? 1));
    }
    if (operation.peer !== undefined) results.peer.push(await nanoseconds(operation.peer.run));
    const goTime = go.get(operation.go ?? "");
    if (goTime !== undefined) results.go.push(goTime);
  }
}

function line({ operation, ours, peer, go }: Row): string[] {
  const own = median(ours);
  const against = (times: number[]): string =>
    times.length === 0 ? "" : `${ns(median(times))} | ${(own / median(times)).toFixed(2)}`;
  return [
    operation.name,
    ns(own),
    against(go) || " | ",
    operation.peer?.name ?? "",
    against(peer) || " | ",
    verdict(operation, own, { go, peer }),
  ];
}

function verdict({ budget }: Operation, own: number, times: { go: number[]; peer: number[] }): string {
  if (budget === undefined || times[budget.of].length === 0) return "";
  const ratio = own / median(times[budget.of]);
  return `${ratio <= budget.share ? "kept" : "MISSED"} (at most ${budget.share} of ${budget.of})`;
}

function ns(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} us` : `${value.toFixed(value < 100 ? 1 : 0)} ns`;
}

const concurrent = [40, 4_000, 400_000].map((n): Operation => ({
  name: `WithTimeout/concurrency=${n}`,
  ours: () => {},
  go: `WithTimeout/concurrency=${n}`,
}));
const rows = [...operations, ...concurrent].map((operation): Row => ({ operation, ours: [], peer: [], go: [] }));
for (let i = 0; i < ROUNDS; i++) await round(rows);

console.log(
  `Node ${process.version}, ${cpus()[0]?.model}, ${availableParallelism()} cores; median of ${ROUNDS} rounds\n`,
);
console.log("| operation | ours | Go | ours/Go | peer | its time | ours/peer | budget |");
console.log("| --- | --: | --: | --: | --- | --: | --: | --- |");
for (const row of rows) console.log(`| ${line(row).join(" | ")} |`);
console.log("\n| as the tree grows | |\n| --- | --: |");
for (const { name, result } of await growth()) console.log(`| ${name} | ${result} |`);
