// The overload benchmark in one process, on a clock of its own: more services and more load than a machine can run.
//
//   npm run -w bench simulate -- three-tiers
//   npm run -w bench simulate -- layers 1000
//   npm run -w bench simulate -- my-topology.json 500
//
// BUILDS="adaptive" LOADS=2 SECONDS=10 SEED=2 select. A file holds a `Topology`; the number after it is the load of 1x,
// in clients a second.
import { readFileSync } from "node:fs";

import { BUILDS } from "./builds.ts";
import { measure, recovery, workInVain } from "./measures.ts";
import { simulate } from "./simulation.ts";
import { layers, threeTiers, type Topology } from "./topology.ts";
import { randomFrom } from "./virtual-time.ts";

const WARM_UP = 5;
const WATCHED = 10;
const PATIENCE = 500;

const [kind = "three-tiers", size = "1000"] = process.argv.slice(2);
const seed = Number(process.env.SEED ?? 1);
const seconds = Number(process.env.SECONDS ?? 30);
const loads = (process.env.LOADS ?? "0.5,1,1.5,2,3").split(",").map(Number);

/** A topology, and the clients a second that it can just answer. */
function topologyOf(): [Topology, number] {
  if (kind === "three-tiers") return [threeTiers(4, 40), 100];
  if (kind === "layers") return [layers(Number(size), 6, 200, randomFrom(seed)), 250];
  return [JSON.parse(readFileSync(kind, "utf8")) as Topology, Number(size)];
}

const [topology, capacity] = topologyOf();
const percent = (share: number): string => `${Math.round(share * 100)} %`;

console.log(
  `${topology.services.length} services; 1x is ${capacity} clients a second; ${seconds} s a run; seed ${seed}.\n`,
);
console.log("| services | load | goodput | work in vain | p50 | p99 | recovery | requests | took |");
console.log("| --- | --: | --: | --: | --: | --: | --: | --: | --: |");
for (const [name, build] of Object.entries(BUILDS)) {
  if (!name.includes(process.env.BUILDS ?? "")) continue;
  for (const load of loads) {
    const from = performance.now();
    const end = WARM_UP + seconds;
    const result = await simulate({
      topology,
      build,
      rate: (second) => (second >= WARM_UP && second < end ? load : 0.5) * capacity,
      seconds: end + WATCHED,
      patience: PATIENCE,
      attempts: 3,
      seed,
    });
    const { answers, p50, p99 } = measure(result.answers, WARM_UP, end);
    const after = recovery(result.answers, end, end + WATCHED);
    console.log(
      `| ${name} | ${load}x | ${percent(answers / capacity)} | ${percent(workInVain(result))} | ${Math.round(p50)} ms | ` +
        `${Math.round(p99)} ms | ${after === Infinity ? "never" : `${after} s`} | ${result.requests} | ` +
        `${((performance.now() - from) / 1000).toFixed(1)} s |`,
    );
  }
}
