// What a unary call costs, client and server together: grpc-js alone, with our interceptors, with OpenTelemetry's instrumentation.
import { fork } from "node:child_process";
import { once } from "node:events";

import type { Variant } from "./process.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 3);
const WARM_UP = 20_000;
const CALLS = 20_000;
const VARIANTS: readonly Variant[] = [
  "bare",
  "bare, with a deadline and interceptors that do nothing",
  "ours",
  "ours, with recorded spans",
  "OpenTelemetry grpc",
];

interface Used {
  readonly cpu: number;
  readonly rss: number;
}

async function measure(variant: Variant): Promise<Used> {
  const child = fork(new URL("./process.ts", import.meta.url), [variant, `${WARM_UP}`, `${CALLS}`], {
    execArgv: ["--expose-gc"],
  });
  const [used] = (await once(child, "message")) as [Used];
  await once(child, "exit");
  return used;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const measured = new Map<Variant, Used[]>(VARIANTS.map((variant) => [variant, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const variant of VARIANTS) measured.get(variant)!.push(await measure(variant));
}

console.log(`Node ${process.version}, ${CALLS} unary calls a round, median of ${ROUNDS} interleaved rounds\n`);
console.log("| calls | CPU a call, both sides | over bare | ratio | RSS |");
console.log("| --- | --: | --: | --: | --: |");
const bare = median(measured.get("bare")!.map(({ cpu }) => cpu));
for (const [variant, used] of measured) {
  const cpu = median(used.map((each) => each.cpu));
  const rss = median(used.map((each) => each.rss));
  const cells = [
    variant,
    `${cpu.toFixed(1)} us`,
    `${(cpu - bare).toFixed(1)} us`,
    (cpu / bare).toFixed(2),
    `${Math.round(rss)} MiB`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
