import { availableParallelism, cpus } from "node:os";

import { measure } from "mitata";

import { median } from "../harness.ts";
import { goResults } from "./go.ts";
import { type Operation, operations, withTimeoutConcurrency } from "./operations.ts";
import { measureScale } from "./scale.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 3);

/** Keeps the results, so that the optimizer cannot remove the measured calls. */
export let result: unknown;

/**
 * Returns the mean nanoseconds of a call with garbage collection, as Go's benchmarks do.
 *
 * @param hasMicrotasks whether to await the call, because a part of its work runs in a microtask
 */
async function nanoseconds(run: () => unknown, hasMicrotasks = false): Promise<number> {
  const timed = hasMicrotasks
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
      results.ours.push((await nanoseconds(operation.ours, operation.hasMicrotasks)) / (operation.times ?? 1));
    }
    if (operation.peer !== undefined) results.peer.push(await nanoseconds(operation.peer.run));
    const goTime = go.get(operation.go ?? "");
    if (goTime !== undefined) results.go.push(goTime);
  }
}

function line({ operation, ours, peer, go }: Row): string[] {
  const own = median(ours);
  const compared = (times: number[]): string =>
    times.length === 0 ? "" : `${ns(median(times))} | ${(own / median(times)).toFixed(2)}`;
  return [
    operation.name,
    ns(own),
    compared(go) || " | ",
    operation.peer?.name ?? "",
    compared(peer) || " | ",
    budgetStatus(operation, own, { go, peer }),
  ];
}

function budgetStatus({ budget }: Operation, own: number, times: { go: number[]; peer: number[] }): string {
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
console.log("| operation | ours | Go | ours/Go | peer | peer time | ours/peer | budget |");
console.log("| --- | --: | --: | --: | --- | --: | --: | --- |");
for (const row of rows) console.log(`| ${line(row).join(" | ")} |`);
console.log("\n| large trees | |\n| --- | --: |");
for (const { name, result } of await measureScale()) console.log(`| ${name} | ${result} |`);
