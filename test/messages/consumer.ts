// Consumes a queue until it is killed, and sends the name of each message to its parent when the work begins and when
// it is done: `node consumer.ts <broker> <url> <queue>`.
import { sleep } from "@throughline/resilience";

import { brokers } from "./brokers.ts";

const [name, url, queue] = process.argv.slice(2) as [string, string, string];
const broker = await brokers.find((each) => each.name === name)!.connect(url, queue);
await broker.consume(
  async (ctx, body) => {
    process.send!({ began: body.name, at: Date.now() });
    if (body.ms !== undefined) await sleep(ctx, body.ms);
  },
  { onConsumed: ({ disposition, hasRun }, body) => process.send!({ ended: body.name, disposition, hasRun }) },
);
process.on("disconnect", () => process.exit());
process.send!({ ready: true });
