import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

import { median, startProcess } from "../harness.ts";
import type { Framework } from "./applications.ts";
import { load } from "./load.ts";
import type { Variant } from "./server.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
const REQUESTS = 60_000;

/** Requests before the first round: a cold process would measure its compilers. */
const WARM_UP = 100_000;

/** Processes of each variant: the result of the compilers differs between processes. */
const PROCESSES = 2;

/** Requests before each round: an idle server has cold caches. */
const PREPARING = 5_000;

const VARIANTS: readonly Variant[] = [
  "bare",
  "ours",
  "ours, with a recorded span",
  "OpenTelemetry http",
  "OpenTelemetry http + framework",
];

/** Microseconds of CPU over bare that the design permits, for Express. */
const BUDGETS: Partial<Record<Framework, Partial<Record<Variant, number>>>> = {
  express: { ours: 3, "ours, with a recorded span": 10 },
};

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
}

async function start(framework: Framework, variant: Variant): Promise<Server> {
  const child = startProcess(new URL("./server.ts", import.meta.url), [framework, variant]);
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  await load(port, WARM_UP);
  return { child, port };
}

/** Measures the server's CPU microseconds a request, and its memory in MiB. */
async function measure({ child, port }: Server): Promise<{ cpu: number; rss: number }> {
  await load(port, PREPARING);
  child.send("begin");
  await once(child, "message");
  await load(port, REQUESTS);
  child.send("end");
  const [{ cpu, rss }] = (await once(child, "message")) as [{ cpu: number; rss: number }];
  return { cpu: cpu / REQUESTS, rss: rss / 2 ** 20 };
}

/** OpenTelemetry's own instrumentations exist for two of the frameworks. */
function variantsOf(framework: Framework): readonly Variant[] {
  if (framework === "express" || framework === "koa") return VARIANTS;
  return VARIANTS.filter((variant) => variant !== "OpenTelemetry http + framework");
}

/** Measures all variants in interleaved rounds, so that other load of the machine affects all of them. */
async function compare(framework: Framework): Promise<void> {
  const variants = variantsOf(framework);
  const servers: [Variant, Server][] = [];
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
  console.log("| server | CPU a request | over bare | min over min | ratio | RSS | budget |");
  console.log("| --- | --: | --: | --: | --: | --: | --- |");
  for (const [variant, { cpu, rss }] of results) {
    const over = median(cpu) - median(floor);
    // Other load only ever adds time, so the minimum has the least of it.
    const least = Math.min(...cpu) - Math.min(...floor);
    const budget = BUDGETS[framework]?.[variant];
    const status = budget === undefined ? "" : `${over <= budget ? "kept" : "MISSED"} (at most +${budget} us)`;
    const ratio = median(cpu) / median(floor);
    const times = [median(cpu), over, least].map((each) => `${each.toFixed(1)} us`).join(" | ");
    console.log(`| ${variant} | ${times} | ${ratio.toFixed(2)} | ${median(rss).toFixed(0)} MiB | ${status} |`);
  }
}

console.log(
  `Node ${process.version}, ${REQUESTS} requests a round, ` +
    `median of ${ROUNDS} interleaved rounds of ${PROCESSES} processes each`,
);
for (const framework of ["express", "koa", "fastify", "hono"] as const) {
  if (framework.includes(process.env["FRAMEWORK"] ?? "")) await compare(framework);
}
