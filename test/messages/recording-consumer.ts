// Consumes a queue, and writes each run and each outcome to a file before the broker is notified, so that SIGKILL loses
// no record: `node recording-consumer.ts <broker> <url> <queue> <file>`. It sends its heap to its parent.
import { openSync, writeSync } from "node:fs";

import { Consumers } from "@throughline/messages";
import { sleep } from "@throughline/resilience";

import { brokers } from "./brokers.ts";

const [name, url, queue, file] = process.argv.slice(2) as [string, string, string, string];
const record = openSync(file, "a");
const consumers = new Consumers();
const broker = await brokers.find((each) => each.name === name)!.connect(url, queue, { batchSize: 20 });
await broker.consume(
  async (ctx, body) => {
    writeSync(record, `${body.name} run ${Date.now()}\n`);
    if (body.ms) await sleep(ctx, body.ms);
  },
  { consumers, onConsumed: ({ disposition }, body) => void writeSync(record, `${body.name} ${disposition} 0\n`) },
);
const reporting = setInterval(() => {
  gc!();
  process.send!(process.memoryUsage().heapUsed);
}, 2000);
process.once("message", async () => {
  clearInterval(reporting);
  await consumers.drain({ shutdownTimeout: "5s" });
  await broker.close();
  process.exit();
});
process.once("disconnect", () => process.exit());
