import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

import type { Variant } from "./client.ts";
import { median } from "./median.ts";
import { startClient } from "./start-client.ts";
import { stayAwake } from "./stay-awake.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
const CALLS = 2_000;
const VARIANTS: readonly Variant[] = [
  "bare",
  "bare, with AbortSignal.timeout",
  "ours",
  "ours, retrying",
  "ours, with a recorded span",
  "OpenTelemetry undici",
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
async function measure(client: ChildProcess): Promise<{ cpu: number; rss: number }> {
  client.send(CALLS);
  const [{ cpu, rss }] = (await once(client, "message")) as [{ cpu: number; rss: number }];
  return { cpu: cpu / CALLS, rss: rss / 2 ** 20 };
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
  const clients = new Map<Variant, ChildProcess>();
  const results = new Map<Variant, Results>();
  for (const variant of VARIANTS) {
    const client = startClient("client.ts", variant, url);
    await measure(client);
    clients.set(variant, client);
    results.set(variant, { cpu: [], rss: [], sends: TELLING.filter((name) => name in last).join(", ") });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [variant, client] of clients) {
      const { cpu, rss } = await measure(client);
      results.get(variant)!.cpu.push(cpu);
      results.get(variant)!.rss.push(rss);
    }
  }
  sleep();
  for (const client of clients.values()) client.disconnect();
  server.close();
  print(results);
}

function print(results: ReadonlyMap<Variant, Results>): void {
  const floor = median(results.get("bare")!.cpu);
  console.log(
    `fetch, Node ${process.version}, ${CALLS} calls a round, median of ${ROUNDS} interleaved rounds; the body is read\n`,
  );
  console.log("| client | CPU a call | over bare | ratio | RSS | sends |");
  console.log("| --- | --: | --: | --: | --: | --- |");
  for (const [variant, { cpu, rss, sends }] of results) {
    const own = median(cpu);
    console.log(
      `| ${variant} | ${own.toFixed(1)} us | ${(own - floor).toFixed(1)} us | ${(own / floor).toFixed(2)} | ${median(rss).toFixed(0)} MiB | ${sends} |`,
    );
  }
}
