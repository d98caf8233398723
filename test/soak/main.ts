// Sends many requests, most of which go wrong in some way, and then looks for what is left of them. The packages must have been built.
import { check, type Check, checkEnds, checkHeap, checkRemains } from "./checks.ts";
import { clientsOf, gatesWithoutRoom, loadAll } from "./clients.ts";
import { startServer } from "./server-process.ts";
import type { Report } from "./server.ts";
import { printTable } from "./table.ts";
import { Tally } from "./tally.ts";

const REQUESTS = Number(process.env["REQUESTS"] ?? 300_000);
const SEED = Number(process.env["SEED"] ?? 1);
/** Seconds that all of it may take. */
const LIMIT = Number(process.env["LIMIT"] ?? 300);
const QUARTERS = 4;

const server = startServer(fail);
setTimeout(() => fail(new Error(`Cannot finish: ${LIMIT} s are over`)), LIMIT * 1000).unref();

function fail(error: Error): void {
  console.error(error.message);
  server.kill();
  process.exit(1);
}

async function soak(): Promise<Check[]> {
  const clients = clientsOf(await server.ports, SEED);
  const tally = new Tally();
  const quarters: Report[] = [];
  const before = await server.report("thorough");
  const from = performance.now();
  for (let quarter = 0; quarter < QUARTERS && !tally.hasHung; quarter++) {
    await loadAll(clients, REQUESTS / QUARTERS, tally);
    quarters.push(await server.report());
  }
  const seconds = (performance.now() - from) / 1000;
  const ended = quarters.at(-1)!;
  const withoutRoom = await gatesWithoutRoom(clients);
  const after = await server.report("thorough");
  const stall = Math.max(...quarters.map((quarter) => quarter.stall));
  console.log(`${tally.total} requests in ${seconds.toFixed(0)} s, seed ${SEED}, Node ${process.version}`);
  console.log(`The server stood still for ${stall.toFixed(0)} ms at most\n`);
  printTable(tally, ended);
  return [
    ...checkEnds(tally, REQUESTS, ended),
    check("gates take on as many as in the beginning", withoutRoom.length === 0, withoutRoom.join(", ")),
    ...checkRemains(before, after),
    checkHeap(quarters.map(({ remains }) => remains.heap)),
    check("the server ends by itself", await server.end()),
  ];
}

const checks = await soak();
console.log();
for (const { claim, holds, found } of checks) {
  console.log(`${holds ? "ok    " : "NOT SO"} ${claim}${found === "" ? "" : `: ${found}`}`);
}
const failed = checks.filter(({ holds }) => !holds).length;
console.log(`\n${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
