// Sends many requests, most of which fail in some way, then checks that the server holds nothing of them: `npm run
// soak`.
// Build the packages first.
import { check, type Check, checkEnds, checkHeap, checkHeld } from "./checks.ts";
import { clientsOf, gatesWithLostCapacity, loadAll } from "./clients.ts";
import { OutcomeCounts } from "./outcome-counts.ts";
import { startServer } from "./server-process.ts";
import type { Report } from "./server.ts";
import { printTable } from "./table.ts";

const REQUESTS = Number(process.env["REQUESTS"] ?? 300_000);
const SEED = Number(process.env["SEED"] ?? 1);
/** Time for everything, in seconds. */
const LIMIT = Number(process.env["LIMIT"] ?? 300);
const QUARTERS = 4;

const server = startServer(fail);
setTimeout(() => fail(new Error(`Cannot finish within ${LIMIT} s`)), LIMIT * 1000).unref();

function fail(error: Error): void {
  console.error(error.message);
  server.kill();
  process.exit(1);
}

async function soak(): Promise<Check[]> {
  const clients = clientsOf(await server.ports, SEED);
  const counts = new OutcomeCounts();
  const quarters: Report[] = [];
  const before = await server.report("thorough");
  const from = performance.now();
  for (let quarter = 0; quarter < QUARTERS && !counts.hasHung; quarter++) {
    await loadAll(clients, REQUESTS / QUARTERS, counts);
    quarters.push(await server.report());
  }
  const seconds = (performance.now() - from) / 1000;
  const last = quarters.at(-1)!;
  const lostCapacity = await gatesWithLostCapacity(clients);
  const after = await server.report("thorough");
  const stall = Math.max(...quarters.map((quarter) => quarter.stall));
  console.log(`${counts.total} requests in ${seconds.toFixed(0)} s, seed ${SEED}, Node ${process.version}`);
  console.log(`The longest delay of the server's event loop: ${stall.toFixed(0)} ms\n`);
  printTable(counts, last);
  return [
    ...checkEnds(counts, REQUESTS, last),
    check("gates admit as many requests as at the start", lostCapacity.length === 0, lostCapacity.join(", ")),
    ...checkHeld(before, after),
    checkHeap(quarters.map(({ held }) => held.heap)),
    check("the server process exits by itself", await server.end()),
  ];
}

const checks = await soak();
console.log();
for (const { claim, holds, found } of checks) {
  console.log(`${holds ? "ok    " : "FAILED"} ${claim}${found === "" ? "" : `: ${found}`}`);
}
const failed = checks.filter(({ holds }) => !holds).length;
console.log(`\n${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
