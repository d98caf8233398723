import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

import type { Variant } from "./client.ts";
import { median } from "./median.ts";
import { startClient } from "./start-client.ts";
import { stayAwake } from "./stay-awake.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 4);
const CALLS = 15_000;
/** Before the first round: a cold process measures its compilers. */
const WARM_UP = 100_000;
/** One may be luckier with its compilers than the next. */
const PROCESSES = 2;

const FLOOR = "hand-wired: signal and header";
const PEER = "OpenTelemetry undici";
const VARIANTS: readonly Variant[] = [
  "bare",
  "bare, with AbortSignal.timeout",
  FLOOR,
  "ours",
  "ours, retrying",
  "ours, with a recorded span",
  PEER,
];

/** What tells that a client does what its row says. */
const TELLING = ["grpc-timeout", "traceparent"];

interface Results {
  readonly cpu: number[];
  readonly rss: number[];
  readonly sends: string;
}

const BODY = JSON.stringify({ id: 7, name: "lamp", price: 49.9, tags: ["attic", "brass"] });

/** Microseconds of CPU that a client uses for a call, and megabytes that it holds. */
async function measure(client: ChildProcess, calls: number): Promise<{ cpu: number; rss: number }> {
  client.send(calls);
  const [{ cpu, rss }] = (await once(client, "message")) as [{ cpu: number; rss: number }];
  return { cpu: cpu / calls, rss: rss / 2 ** 20 };
}

/** Prints what a call costs its caller, in each of the ways that are compared. */
export async function calls(): Promise<void> {
  let last: IncomingHttpHeaders = {};
  const server = createServer((req, res) => {
    last = req.headers;
    res.setHeader("content-type", "application/json").end(BODY);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/items/7`;

  const sleep = stayAwake();
  const clients: [Variant, ChildProcess][] = [];
  const results = new Map<Variant, Results>();
  for (const variant of Array.from({ length: PROCESSES }, () => VARIANTS).flat()) {
    const client = startClient("client.ts", variant, url);
    await measure(client, WARM_UP);
    clients.push([variant, client]);
    results.set(variant, { cpu: [], rss: [], sends: TELLING.filter((name) => name in last).join(", ") });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [variant, client] of clients) {
      const { cpu, rss } = await measure(client, CALLS);
      results.get(variant)!.cpu.push(cpu);
      results.get(variant)!.rss.push(rss);
    }
  }
  sleep();
  for (const [, client] of clients) client.disconnect();
  server.close();
  print(results);
}

function print(results: ReadonlyMap<Variant, Results>): void {
  const over = (variant: Variant): number => median(results.get(variant)!.cpu) - median(results.get("bare")!.cpu);
  const leastOver = (variant: Variant): number =>
    Math.min(...results.get(variant)!.cpu) - Math.min(...results.get("bare")!.cpu);
  console.log(
    `fetch, Node ${process.version}, ${CALLS} calls a round after ${WARM_UP}, ${PROCESSES} processes a client, median of ${ROUNDS} interleaved rounds; the body is read\n`,
  );
  console.log("| client | CPU a call | over bare | least over least | RSS | sends |");
  console.log("| --- | --: | --: | --: | --: | --- |");
  for (const [variant, { cpu, rss, sends }] of results) {
    const numbers = [median(cpu), over(variant), leastOver(variant)].map((each) => `${each.toFixed(1)} us`);
    console.log(`| ${variant} | ${numbers.join(" | ")} | ${median(rss).toFixed(0)} MiB | ${sends} |`);
  }
  console.log("");
  budget("ours", over("ours"), 1.3 * over(FLOOR), "1.3 x what the hand-wired call adds");
  budget(
    "ours, with a recorded span",
    over("ours, with a recorded span"),
    over(FLOOR) + over(PEER),
    "what the hand-wired call and OpenTelemetry's instrumentation add together",
  );
}

function budget(variant: Variant, own: number, most: number, what: string): void {
  const verdict = own <= most ? "kept" : "MISSED";
  console.log(`${verdict}: ${variant} adds ${own.toFixed(1)} us, at most ${most.toFixed(1)} us: ${what}`);
}
