import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

import type { Framework } from "./applications.ts";
import { load } from "./load.ts";
import type { Variant } from "./server.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
const REQUESTS = 60_000;

/** A server in service is warm: until it is, its compilers cost as much as what they compile. */
const WARM_UP = 100_000;

/** Of each variant: one process may be luckier with its compilers than the next. */
const PROCESSES = 2;

/** Before each round, as a server that was idle has cold caches. */
const AWAKE = 5_000;

const VARIANTS: readonly Variant[] = [
  "bare",
  "ours",
  "ours, with a recorded span",
  "OpenTelemetry http",
  "OpenTelemetry http + framework",
];

/** OpenTelemetry has no instrumentation of its own for these. */
const WITHOUT_INSTRUMENTATION = new Set<Framework>(["fastify", "hono"]);

/** Of all frameworks, or of those that are named on the command line. */
const FRAMEWORKS: readonly Framework[] =
  process.argv.length > 2 ? (process.argv.slice(2) as Framework[]) : ["express", "koa", "fastify", "hono"];

/** Microseconds of CPU over bare that the design allows: it speaks of Express. */
const BUDGETS: Partial<Record<Framework, Partial<Record<Variant, number>>>> = {
  express: { ours: 3, "ours, with a recorded span": 10 },
};

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
}

async function start(framework: Framework, variant: Variant): Promise<Server> {
  const child = fork(new URL("./server.ts", import.meta.url), [framework, variant]);
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  await load(port, WARM_UP);
  return { child, port };
}

/** Microseconds of CPU that the server uses for a request, and megabytes that it holds. */
async function measure({ child, port }: Server): Promise<{ cpu: number; rss: number }> {
  await load(port, AWAKE);
  child.send("begin");
  await once(child, "message");
  await load(port, REQUESTS);
  child.send("end");
  const [{ cpu, rss }] = (await once(child, "message")) as [{ cpu: number; rss: number }];
  return { cpu: cpu / REQUESTS, rss: rss / 2 ** 20 };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** All variants side by side, in rounds, so that what else the machine does meets each of them. */
async function compare(framework: Framework): Promise<void> {
  const servers: [Variant, Server][] = [];
  const variants = VARIANTS.filter((each) => !WITHOUT_INSTRUMENTATION.has(framework) || !each.endsWith("+ framework"));
  for (let process = 0; process < PROCESSES; process++) {
    for (const variant of variants) servers.push([variant, await start(framework, variant)]);
  }
  const results = new Map(variants.map((variant) => [variant, { cpu: [] as number[], rss: [] as number[] }]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [variant, server] of servers) {
      const { cpu, rss } = await measure(server);
      results.get(variant)!.cpu.push(cpu);
      results.get(variant)!.rss.push(rss);
    }
  }
  for (const [, { child }] of servers) child.disconnect();

  const floor = results.get("bare")!.cpu;
  console.log(`\n${framework}\n`);
  console.log("| server | CPU a request | over bare | least over least | ratio | RSS | budget |");
  console.log("| --- | --: | --: | --: | --: | --: | --- |");
  for (const [variant, { cpu, rss }] of results) {
    const over = median(cpu) - median(floor);
    // What else the machine does only ever adds: the least of each has the least of it.
    const least = Math.min(...cpu) - Math.min(...floor);
    const budget = BUDGETS[framework]?.[variant];
    const verdict = budget === undefined ? "" : `${over <= budget ? "kept" : "MISSED"} (at most +${budget} us)`;
    const ratio = median(cpu) / median(floor);
    console.log(
      `| ${variant} | ${median(cpu).toFixed(1)} us | ${over.toFixed(1)} us | ${least.toFixed(1)} us | ${ratio.toFixed(2)} | ${median(rss).toFixed(0)} MiB | ${verdict} |`,
    );
  }
}

console.log(
  `Node ${process.version}, ${REQUESTS} requests a round, median of ${ROUNDS} interleaved rounds of ${PROCESSES} processes each`,
);
for (const framework of FRAMEWORKS) await compare(framework);
