import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

import { median, startProcess, stayAwake } from "../harness.ts";
import type { Variant } from "./calling-client.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 4);
const CALLS = 15_000;
/** Calls before the first round: a cold process would measure its compilers. */
const WARM_UP = 100_000;
/** Processes of each variant: the result of the compilers differs between processes. */
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

/** Headers that prove that a client does what its row says. */
const PROOFS = ["grpc-timeout", "traceparent"];

interface Results {
  readonly cpu: number[];
  readonly rss: number[];
  readonly sends: string;
}

const BODY = JSON.stringify({ id: 7, name: "lamp", price: 49.9, tags: ["attic", "brass"] });

/** Measures the client's CPU microseconds a call, and its memory in MiB. */
async function measure(client: ChildProcess, calls: number): Promise<{ cpu: number; rss: number }> {
  client.send(calls);
  const [{ cpu, rss }] = (await once(client, "message")) as [{ cpu: number; rss: number }];
  return { cpu: cpu / calls, rss: rss / 2 ** 20 };
}

/** Prints the cost of a call for its caller, for each variant. */
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
    const client = startProcess(new URL("calling-client.ts", import.meta.url), [variant, url], ["--expose-gc"]);
    await measure(client, WARM_UP);
    clients.push([variant, client]);
    results.set(variant, { cpu: [], rss: [], sends: PROOFS.filter((name) => name in last).join(", ") });
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
  const minOver = (variant: Variant): number =>
    Math.min(...results.get(variant)!.cpu) - Math.min(...results.get("bare")!.cpu);
  console.log(
    `fetch, Node ${process.version}, ${CALLS} calls a round after ${WARM_UP}, ${PROCESSES} processes a client, ` +
      `median of ${ROUNDS} interleaved rounds; the body is read\n`,
  );
  console.log("| client | CPU a call | over bare | min over min | RSS | sends |");
  console.log("| --- | --: | --: | --: | --: | --- |");
  for (const [variant, { cpu, rss, sends }] of results) {
    const numbers = [median(cpu), over(variant), minOver(variant)].map((each) => `${each.toFixed(1)} us`);
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
  const status = own <= most ? "kept" : "MISSED";
  console.log(`${status}: ${variant} adds ${own.toFixed(1)} us, at most ${most.toFixed(1)} us: ${what}`);
}
