// What a unary call costs, client and server together: grpc-js alone, with our interceptors, with OpenTelemetry's instrumentation.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

import type { Used, Variant } from "./process.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 7);
const CALLS = 10_000;

/** The CPU that a call takes stops falling after 30,000 to 40,000 calls, in each variant: a call runs some twenty times the code of a request to node:http. */
const WARM_UP = 60_000;

/** Of each variant: the compilers may do better in one process than in the next. */
const PROCESSES = 2;

const VARIANTS: readonly Variant[] = [
  "bare",
  "bare, with a deadline and interceptors that do nothing",
  "ours",
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

/** What else the machine does only ever adds: the least of all rounds has the least of it. */
function least(variant: Variant): number {
  return Math.min(...measured.get(variant)!.map(({ cpu }) => cpu));
}

const floor = least("bare");
const peer = least("OpenTelemetry grpc") - floor;

console.log(
  `Node ${process.version}, ${CALLS} unary calls a round, ${ROUNDS} interleaved rounds of ${PROCESSES} warm processes each\n`,
);
console.log(
  "| calls | CPU a call, both sides: least | median | over bare | of what OpenTelemetry adds | RSS | sends |",
);
console.log("| --- | --: | --: | --: | --- | --: | --- |");
for (const [variant, used] of measured) {
  const over = least(variant) - floor;
  const budget = BUDGETS[variant];
  const verdict = budget === undefined ? "" : `, ${over <= budget * peer ? "kept" : "MISSED"} (at most ${budget})`;
  const cells = [
    variant,
    `${least(variant).toFixed(1)} us`,
    `${median(used.map(({ cpu }) => cpu)).toFixed(1)} us`,
    `${over.toFixed(1)} us`,
    `${(over / peer).toFixed(2)}${verdict}`,
    `${Math.round(median(used.map(({ rss }) => rss)))} MiB`,
    used[0]!.sends,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
