// Cost of a unary call, client and server together: grpc-js alone, with our interceptors, and with OpenTelemetry's
// instrumentation.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

import { median, startProcess } from "../harness.ts";
import type { Used, Variant } from "./client-and-server.ts";

/** Many short rounds: other load of the machine only ever adds time, so the minimum is a round with little of it. */
const ROUNDS = Number(process.env["ROUNDS"] ?? 25);
const CALLS = 2_000;

/** Calls before the first round: the CPU time of a call falls over some 40,000 calls, while the compilers work. */
const WARM_UP = 50_000;

/** Processes of each variant: the result of the compilers differs between processes. */
const PROCESSES = 3;

const VARIANTS: readonly Variant[] = [
  "bare",
  "bare, with a deadline and interceptors that do nothing",
  "ours",
  "ours, in an existing context",
  "ours, with recorded spans",
  "OpenTelemetry grpc",
];

/** The permitted cost of a variant, as a share of the cost of OpenTelemetry's instrumentation. */
const BUDGETS: Partial<Record<Variant, number>> = { ours: 0.4, "ours, with recorded spans": 1 };

async function use(child: ChildProcess, calls: number): Promise<Used> {
  child.send(calls);
  const [used] = (await once(child, "message")) as [Used];
  return used;
}

const children: [Variant, ChildProcess][] = [];
for (let process = 0; process < PROCESSES; process++) {
  for (const variant of VARIANTS) {
    const child = startProcess(new URL("./client-and-server.ts", import.meta.url), [variant]);
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
const min = (variant: Variant): number => Math.min(...cpuOf(variant));
const middle = (variant: Variant): number => median(cpuOf(variant));

/** Returns the cost of a variant as a share of the cost of OpenTelemetry's instrumentation. */
function share(of: (variant: Variant) => number, variant: Variant): number {
  return (of(variant) - of("bare")) / (of("OpenTelemetry grpc") - of("bare"));
}

console.log(
  `Node ${process.version}, ${CALLS} unary calls a round, ` +
    `${ROUNDS} interleaved rounds of ${PROCESSES} warm processes each; CPU of both sides\n`,
);
console.log("| calls | min | over bare | of OpenTelemetry | median | over bare | of OpenTelemetry | RSS | sends |");
console.log("| --- | --: | --: | --- | --: | --: | --: | --: | --- |");
for (const [variant, used] of measured) {
  const budget = BUDGETS[variant];
  const status =
    budget === undefined ? "" : `, ${share(min, variant) <= budget ? "kept" : "MISSED"} (at most ${budget})`;
  const cells = [
    variant,
    `${min(variant).toFixed(1)} us`,
    `${(min(variant) - min("bare")).toFixed(1)} us`,
    `${share(min, variant).toFixed(2)}${status}`,
    `${middle(variant).toFixed(1)} us`,
    `${(middle(variant) - middle("bare")).toFixed(1)} us`,
    share(middle, variant).toFixed(2),
    `${Math.round(median(used.map(({ rss }) => rss)))} MiB`,
    used[0]!.sends,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
