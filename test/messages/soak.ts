// Sends N (100,000) messages to BROKER (nats), a third of them with a deadline, to two consumers: one stays, the other
// is killed with SIGKILL every two seconds and replaced. It fails if a message is lost or runs after its deadline, or
// if the heap of the consumer that stays grows. Build the packages first: `BROKER=amqplib N=20000 node
// test/messages/soak.ts`.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { background, withDeadline } from "@throughline/context";

import { brokers } from "./brokers.ts";

const N = Number(process.env["N"] ?? 100_000);
const NAME = process.env["BROKER"] ?? "nats";
/** Messages per second that are sent. */
const RATE = Number(process.env["RATE"] ?? 2000);
const TICK_MS = 50;
const KILL_MS = 2000;
/** A deadline is a whole number of milliseconds on the wire. */
const ROUNDING_MS = 2;

const host = brokers.find(({ name }) => name === NAME);
if (host === undefined) throw new Error(`BROKER must be one of ${brokers.map(({ name }) => name).join(", ")}`);
if (host.missing !== undefined) {
  console.log(`SKIPPED: ${host.missing}`);
  process.exit(0);
}
const server = await host.startServer();
const folder = mkdtempSync(join(tmpdir(), "throughline-messages-soak-"));
const broker = await host.connect(server.url, "soak");
const heaps: number[] = [];
let consumersStarted = 0;

function startConsumer(): ChildProcess {
  const record = join(folder, `consumer-${consumersStarted++}`);
  const args = [NAME, server.url, "soak", record];
  const child = fork(new URL("recording-consumer.ts", import.meta.url), args, { execArgv: ["--expose-gc"] });
  child.on("message", (heap: number) => void heaps.push(heap));
  return child;
}

/** The deadlines of the messages that have one, by their names. */
const deadlines = new Map<string, number>();

async function publish(index: number): Promise<void> {
  const name = String(index);
  if (index % 3 !== 0) return void (await broker.publish(background, { name, ms: index % 5 }));
  const at = Date.now() + (index % 2 === 0 ? 20_000 : 1 + Math.random() * 200);
  deadlines.set(name, at);
  const [ctx, cancel] = withDeadline(background, at);
  // The deadline may pass before the message is sent.
  await broker
    .publish(ctx, { name, ms: index % 50 }, { deadline: "inherit" })
    .catch((error: unknown) => {
      if (error !== ctx.err()) throw error;
    })
    .finally(cancel);
}

interface Outcome {
  acknowledged: number;
  dead: number;
  runs: number;
  late: number;
}

function readRecords(): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  for (const file of readdirSync(folder)) {
    for (const line of readFileSync(join(folder, file), "utf8").split("\n")) {
      const [name, what, at] = line.split(" ") as [string, string, string];
      if (name === "") continue;
      const outcome = outcomes.get(name) ?? { acknowledged: 0, dead: 0, runs: 0, late: 0 };
      outcomes.set(name, outcome);
      if (what === "run") {
        outcome.runs += 1;
        if (Number(at) > (deadlines.get(name) ?? Infinity) + ROUNDING_MS) outcome.late += 1;
      } else if (what === "ack") outcome.acknowledged += 1;
      else if (what === "dead") outcome.dead += 1;
    }
  }
  return outcomes;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const lostIn = (outcomes: Map<string, Outcome>): string[] =>
  Array.from({ length: N }, (_, index) => String(index)).filter(
    (name) => !outcomes.get(name)?.acknowledged && (deadlines.get(name) ?? Infinity) > Date.now(),
  );

const from = performance.now();
const staying = startConsumer();
let killed = startConsumer();
let kills = 0;
const killing = (async () => {
  while (staying.connected) {
    await delay(KILL_MS);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    kills += 1;
    if (staying.connected) killed = startConsumer();
  }
})();

const recovering = setInterval(() => void broker.recover?.(), 1000);
const batch = (RATE * TICK_MS) / 1000;
for (let first = 0; first < N; first += batch) {
  const begun = performance.now();
  await Promise.all(Array.from({ length: Math.min(batch, N - first) }, (_, index) => publish(first + index)));
  await delay(Math.max(0, TICK_MS - (performance.now() - begun)));
}
const published = (performance.now() - from) / 1000;
let outcomes = readRecords();
for (let waited = 0; waited < 120 && lostIn(outcomes).length > 0; waited++) {
  await delay(1000);
  outcomes = readRecords();
}
clearInterval(recovering);
staying.send("end");
await once(staying, "exit");
await killing;
killed.kill("SIGKILL");
await broker.close();
await server.stop();
rmSync(folder, { recursive: true });

const all = [...outcomes.values()];
const sum = (key: keyof Outcome): number => all.reduce((total, each) => total + each[key], 0);
const lost = lostIn(outcomes);
const seconds = ((performance.now() - from) / 1000).toFixed(0);
console.log(
  `${NAME}, Node ${process.version}: ${N} messages sent in ${published.toFixed(0)} s, all settled after ${seconds} s`,
);
console.log(`${kills} consumers killed; ${deadlines.size} messages had a deadline`);
const unrun = [...deadlines.keys()].filter((name) => !outcomes.get(name)?.runs).length;
const cut = all.filter(({ runs, dead }) => runs > 0 && dead > 0).length;
console.log(`${unrun} messages expired before they could run, ${cut} were cut by their deadline`);
console.log(`${sum("runs")} runs, ${all.filter(({ runs }) => runs > 1).length} messages ran more than once`);
console.log(`heap of the consumer that stays, in MB: ${heaps.map((heap) => (heap / 1e6).toFixed(1)).join(", ")}`);
const quarter = Math.max(1, Math.floor(heaps.length / 4));
// Medians, because a client that polls allocates more at some times than at others.
const growth = median(heaps.slice(-quarter)) - median(heaps.slice(quarter, 2 * quarter));
const checks: [string, boolean][] = [
  [`${lost.length} lost`, lost.length === 0],
  [`${sum("late")} run after their deadline`, sum("late") === 0],
  [`heap grown by ${(growth / 1e6).toFixed(2)} MB`, growth < 1e6],
];
for (const [what, holds] of checks) console.log(`${holds ? "ok    " : "FAILED"} ${what}`);
process.exitCode = checks.every(([, holds]) => holds) ? 0 : 1;
