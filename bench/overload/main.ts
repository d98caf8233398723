// Goodput under overload: three tiers of processes, an open loop of clients that leave and try again.
// VARIANTS="ours|by hand" LOADS=2,3 SECONDS=30 npm run -w bench bench:overload
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";

import { startProcess } from "../harness.ts";
import { measure, recovery } from "../simulate/measures.ts";
import { Clients } from "./clients.ts";
import { PLACES, VARIANTS } from "./variants.ts";

/** Answers per second of the pool: each place works 40 ms for one. */
const CAPACITY = PLACES / 0.04;
const SERVICES = 4;
const WARM_UP = 2;
/** The time after the overload in which the system is watched, in seconds. */
const WATCHED = 8;

const seconds = Number(process.env.SECONDS ?? 30);
const loads = (process.env.LOADS ?? "0.5,1,1.5,2,3").split(",").map(Number);
const selected = new RegExp(process.env.VARIANTS ?? "");
const names = Object.keys(VARIANTS).filter((name) => selected.test(name));

export interface Row {
  readonly variant: string;
  readonly load: number;
  /** Answers in time, of the capacity. */
  readonly goodput: number;
  /** The store's work for clients that had left, of all its work. */
  readonly inVain: number;
  readonly p50: number;
  readonly p99: number;
  /** Seconds until clients are answered again. */
  readonly recovery: number;
  /** Requests that reach the store, for each client. */
  readonly attempts: number;
}

async function start(role: string, name: string, upstream: readonly string[] = []): Promise<[ChildProcess, string]> {
  const child = startProcess(new URL("service.ts", import.meta.url), [role, name, ...upstream]);
  const [{ url }] = (await once(child, "message")) as [{ url: string }];
  return [child, url];
}

async function run(variant: string, load: number): Promise<Row> {
  const [store, storeUrl] = await start("store", variant);
  const services = await Promise.all(Array.from({ length: SERVICES }, () => start("service", variant, [storeUrl])));
  const [gateway, url] = await start(
    "gateway",
    variant,
    services.map(([, each]) => each),
  );
  const counts = async () => {
    store.send("count");
    const [each] = (await once(store, "message")) as [{ arrived: number; done: number; inVain: number }];
    return each;
  };

  const clients = new Clients(url);
  await clients.come(CAPACITY / 2, WARM_UP);
  const before = await counts();
  const from = clients.now / 1000;
  await clients.come(CAPACITY * load, seconds);
  const to = clients.now / 1000;
  const after = await counts();
  await clients.come(CAPACITY / 2, WATCHED);
  await clients.leave();
  for (const [child] of services) child.disconnect();
  store.disconnect();
  gateway.disconnect();

  const { answers, p50, p99 } = measure(clients.answers, from, to);
  const came = clients.answers.filter(({ at }) => at >= from * 1000 && at < to * 1000);
  return {
    variant,
    load,
    goodput: answers / CAPACITY,
    inVain: (after.inVain - before.inVain) / (after.done - before.done),
    p50,
    p99,
    recovery: recovery(clients.answers, to, to + WATCHED, CAPACITY / 4),
    attempts: (after.arrived - before.arrived) / came.length,
  };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

console.log(`Capacity ${CAPACITY} answers a second; ${seconds} s a run. Clients leave after 500 ms and try 3 times.\n`);
console.log("| services | load | goodput | work in vain | p50 | p99 | recovery | requests to the store |");
console.log("| --- | --: | --: | --: | --: | --: | --: | --: |");
const rows: Row[] = [];
for (const name of names) {
  for (const load of loads) {
    const row = await run(name, load);
    rows.push(row);
    const recovery = row.recovery === Infinity ? "never" : `${row.recovery.toFixed(1)} s`;
    console.log(
      `| ${name} | ${load}x | ${percent(row.goodput)} | ${percent(row.inVain)} | ${Math.round(row.p50)} ms | ` +
        `${Math.round(row.p99)} ms | ${recovery} | ${row.attempts.toFixed(1)} |`,
    );
  }
}
if (process.env.RESULTS !== undefined) writeFileSync(process.env.RESULTS, JSON.stringify(rows, undefined, 2));
