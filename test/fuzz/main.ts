// Gives all parsers of what comes from outside a great many values. The packages must have been built.
import { availableParallelism } from "node:os";

import { subjects, valuesOf } from "./subjects.ts";
import { printHead, printRow } from "./table.ts";
import { Thread } from "./threads.ts";

const VALUES = Number(process.env["VALUES"] ?? 2_000_000);
const SEED = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
/** Only subjects whose names have this in them. */
const ONLY = process.env["ONLY"] ?? "";
/** Seconds that all of it may take. */
const LIMIT = Number(process.env["LIMIT"] ?? 300);
/** The most of them that one subject may take. */
const SHARE = 0.25;

const from = performance.now();
const failures: string[] = [];
const total = { values: 0, passed: 0, failed: 0 };
const queue = subjects.filter(({ name }) => name.includes(ONLY));

/** Takes one subject after another, until none is left. */
async function work(): Promise<void> {
  const thread = new Thread();
  for (let subject = queue.shift(); subject !== undefined; subject = queue.shift()) {
    const left = LIMIT * 1000 - (performance.now() - from);
    const limit = Math.min(left, LIMIT * 1000 * SHARE);
    const task = { index: subjects.indexOf(subject), values: valuesOf(subject, VALUES), seed: SEED, limit };
    const result = left > 0 ? await thread.run(task) : `it was never begun: ${LIMIT} s are over`;
    const found = typeof result === "string" ? [`${subject.name}: ${result}`] : result.failures;
    failures.push(...found);
    total[found.length === 0 ? "passed" : "failed"] += 1;
    if (typeof result === "string") continue;
    printRow(result);
    for (const { values } of Object.values(result.kinds)) total.values += values;
  }
  thread.close();
}

console.log(`VALUES=${VALUES} SEED=${SEED}, Node ${process.version}\n`);
printHead();
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
for (const failure of failures) console.log(`\nNOT SO: ${failure}`);
console.log(`\n${total.values} values in ${((performance.now() - from) / 1000).toFixed(0)} s`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
