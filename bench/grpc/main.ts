// What a unary call costs, client and server together: grpc-js alone, with our interceptors, with OpenTelemetry's instrumentation.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

import type { Used, Variant } from "./process.ts";

/** Many and short: what else the machine does only ever adds, so that the least of them is one that little has disturbed. */
const ROUNDS = Number(process.env["ROUNDS"] ?? 25);
const CALLS = 2_000;

/** The CPU that a call takes falls until some 40,000 have been made, in each variant: until then compilers are measured. */
const WARM_UP = 50_000;

/** Of each variant: the compilers may do better in one process than in the next. */
const PROCESSES = 3;

const VARIANTS: readonly Variant[] = [
  "bare",
  "bare, with a deadline and interceptors that do nothing",
  "ours",
  "ours, in a context that is there",
  "ours, with recorded spans",
  "OpenTelemetry grpc",
];

/** How much of what OpenTelemetry's instrumentation adds a variant may add. */
const BUDGETS: Partial<Record<Variant, number>> = { ours: 0.4, "ours, with recorded spans": 1 };

async function use(child: ChildProcess, calls: number): Promise<Used> {
  child.send(calls);
  const [used] = (await once(child, "message")) as [Used];
  return used;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const children: [Variant, ChildProcess][] = [];
for (let process = 0; process < PROCESSES; process++) {
  for (const variant of VARIANTS) {
    const child = fork(new URL("./process.ts", import.meta.url), [variant]);
    await use(child, WARM_UP);
    children.push([variant, child]);
  }
}

const measured = new Map<Variant, Used[]>(VARIANTS.map((variant) => [variant, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [variant, child] of children) measured.get(variant)!.push(await use(child, CALLS));
}
for (const [, child] of children) child.disconnect();

const cpuOf = (variant: Variant): number[] => measured.get(variant)!.map(({ cpu }) => cpu);
const least = (variant: Variant): number => Math.min(...cpuOf(variant));
const middle = (variant: Variant): number => median(cpuOf(variant));

/** How much a variant adds, of what OpenTelemetry's instrumentation adds. */
function share(of: (variant: Variant) => number, variant: Variant): number {
  return (of(variant) - of("bare")) / (of("OpenTelemetry grpc") - of("bare"));
}

console.log(
  `Node ${process.version}, ${CALLS} unary calls a round, ${ROUNDS} interleaved rounds of ${PROCESSES} warm processes each; CPU of both sides\n`,
);
console.log("| calls | least | over bare | of OpenTelemetry | median | over bare | of OpenTelemetry | RSS | sends |");
console.log("| --- | --: | --: | --- | --: | --: | --: | --: | --- |");
for (const [variant, used] of measured) {
  const budget = BUDGETS[variant];
  const verdict =
    budget === undefined ? "" : `, ${share(least, variant) <= budget ? "kept" : "MISSED"} (at most ${budget})`;
  const cells = [
    variant,
    `${least(variant).toFixed(1)} us`,
    `${(least(variant) - least("bare")).toFixed(1)} us`,
    `${share(least, variant).toFixed(2)}${verdict}`,
    `${middle(variant).toFixed(1)} us`,
    `${(middle(variant) - middle("bare")).toFixed(1)} us`,
    share(middle, variant).toFixed(2),
    `${Math.round(median(used.map(({ rss }) => rss)))} MiB`,
    used[0]!.sends,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
