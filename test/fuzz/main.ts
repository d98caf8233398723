// Runs the parsers of untrusted input with many random values: `npm run fuzz`. Build the packages first.
import { availableParallelism } from "node:os";

import type { Kind, Result } from "./examine.ts";
import { FuzzWorker } from "./fuzz-worker.ts";
import { subjects, valuesOf } from "./subjects.ts";

const VALUES = Number(process.env["VALUES"] ?? 2_000_000);
const SEED = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
/** Runs only subjects whose names contain this. */
const ONLY = process.env["ONLY"] ?? "";
/** Time for all subjects, in seconds. */
const LIMIT = Number(process.env["LIMIT"] ?? 300);
/** The largest share of that time for one subject. */
const SHARE = 0.25;

const KINDS: readonly Kind[] = ["random", "mutated", "valid", "long"];
const NAME = 42;
const WIDTH = 17;

function printHead(): void {
  const kinds = KINDS.map((kind) => kind.padStart(WIDTH)).join("");
  console.log(`${"parser, accepted of values".padEnd(NAME)}${kinds}   slowest long        took`);
}

function printRow({ name, kinds, slowest, ms, failures }: Result): void {
  const counts = KINDS.map((kind) => `${kinds[kind].accepted} of ${kinds[kind].values}`.padStart(WIDTH)).join("");
  const times = `${slowest.toFixed(2).padStart(11)} ms${(ms / 1000).toFixed(1).padStart(10)} s`;
  console.log(`${name.padEnd(NAME)}${counts}${times}${failures.length === 0 ? "" : "  FAILED"}`);
}

const from = performance.now();
const failures: string[] = [];
const total = { values: 0, passed: 0, failed: 0 };
const queue = subjects.filter(({ name }) => name.includes(ONLY));

/** Runs one subject after another until the queue is empty. */
async function work(): Promise<void> {
  const worker = new FuzzWorker();
  for (let subject = queue.shift(); subject !== undefined; subject = queue.shift()) {
    const left = LIMIT * 1000 - (performance.now() - from);
    const limit = Math.min(left, LIMIT * 1000 * SHARE);
    const task = { index: subjects.indexOf(subject), values: valuesOf(subject, VALUES), seed: SEED, limit };
    const result = left > 0 ? await worker.run(task) : `it was not started within ${LIMIT} s`;
    const found = typeof result === "string" ? [`${subject.name}: ${result}`] : result.failures;
    failures.push(...found);
    total[found.length === 0 ? "passed" : "failed"] += 1;
    if (typeof result === "string") continue;
    printRow(result);
    for (const { values } of Object.values(result.kinds)) total.values += values;
  }
  worker.close();
}

console.log(`VALUES=${VALUES} SEED=${SEED}, Node ${process.version}\n`);
printHead();
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
for (const failure of failures) console.log(`\nFAILED: ${failure}`);
console.log(`\n${total.values} values in ${((performance.now() - from) / 1000).toFixed(0)} s`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
