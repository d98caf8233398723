// Throughput of the viewer, and its memory for a million spans.
import { fork } from "node:child_process";
import { once } from "node:events";
import http from "node:http";

import { type Batch, json, protobuf, SPANS } from "./batch.ts";
import type { Variant } from "./server.ts";

const TOTAL = Number(process.env["SPANS"] ?? 1_000_000);
const CONNECTIONS = 4;

interface Used {
  readonly cpu: number;
  readonly rss: number;
  readonly heap: number;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

async function post(url: string, { type }: Batch, body: Buffer): Promise<void> {
  const headers = { "content-type": type, "content-length": body.length };
  const request = http.request(`${url}/v1/traces`, { method: "POST", agent, headers }).end(body);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`Cannot measure: the receiver answered ${response.statusCode}`);
  await response.toArray();
}

async function measure(variant: Variant, batch: Batch): Promise<string> {
  const child = fork(new URL("./server.ts", import.meta.url), [variant], {
    execArgv: ["--expose-gc", "--max-old-space-size=8192"],
  });
  const [{ url }] = (await once(child, "message")) as [{ url: string }];
  const used = async (): Promise<Used> => {
    child.send("used");
    return ((await once(child, "message")) as [Used])[0];
  };
  const before = await used();
  const from = performance.now();
  let number = 0;
  const worker = async (): Promise<void> => {
    while (number * SPANS < TOTAL) await post(url, batch, batch.body((number += 1)));
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const took = performance.now() - from;
  const after = await used();
  child.disconnect();
  await once(child, "exit");
  const spans = number * SPANS;
  const cells = [
    variant,
    batch === json ? "JSON" : "protobuf",
    (Math.round(spans / took) * 1000).toLocaleString("en"),
    `${((after.cpu - before.cpu) / spans).toFixed(2)} us`,
    `${Math.round((after.heap - before.heap) / spans)} B`,
    `${Math.round(after.rss / 2 ** 20)} MiB`,
  ];
  return `| ${cells.join(" | ")} |`;
}

console.log(
  `Node ${process.version}, ${TOTAL} spans of 9 attributes in batches of ${SPANS}, over ${CONNECTIONS} connections\n`,
);
console.log("| receiver | encoding | spans/s | CPU a span | heap a span | RSS at the end |");
console.log("| --- | --- | --: | --: | --: | --: |");
console.log(await measure("reads and drops", protobuf));
console.log(await measure("reads and drops", json));
console.log(await measure("JSON.parse alone", json));
console.log(await measure("viewer", protobuf));
console.log(await measure("viewer", json));
console.log(await measure("viewer with a file", protobuf));
agent.destroy();
