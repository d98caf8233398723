import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { median, startProcess, stayAwake } from "../harness.ts";
import type { Command, Variant } from "./canceling-client.ts";

const ROUNDS = 20;
const WARM_UPS = 20;
const CALLS = 100;
const VARIANTS: readonly Variant[] = [
  "one AbortController (floor)",
  "ours: fanOut under withCancel",
  "AbortSignal.any for each call",
];

/** Milliseconds from the client's cancel until the server has seen the last socket close. */
async function measure(client: ChildProcess, server: Server): Promise<number> {
  const send = (what: Command): void => void client.send(what);
  const closed = new Promise<bigint>((resolve) => {
    let [arrived, gone] = [0, 0];
    server.removeAllListeners("request").on("request", ({ socket }) => {
      socket.once("close", () => {
        if (++gone === CALLS) resolve(process.hrtime.bigint());
      });
      if (++arrived === CALLS) send("cancel");
    });
  });
  send("call");
  const until = await closed;
  send("report");
  const [from] = (await once(client, "message")) as [string];
  // All processes of a machine share this clock.
  return Number(until - BigInt(from)) / 1e6;
}

/** Prints the time from the cancel until the server has closed all sockets of the canceled calls, for each variant. */
export async function cancellation(): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/items/`;

  const sleep = stayAwake();
  const clients = new Map<Variant, ChildProcess>();
  const results = new Map(VARIANTS.map((variant) => [variant, [] as number[]]));
  for (const variant of VARIANTS) {
    const client = startProcess(
      new URL("canceling-client.ts", import.meta.url),
      [variant, url, String(CALLS)],
      ["--expose-gc"],
    );
    await once(client, "message");
    clients.set(variant, client);
  }
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    for (const [variant, client] of clients) {
      const time = await measure(client, server);
      if (round >= 0) results.get(variant)!.push(time);
    }
  }
  sleep();
  for (const client of clients.values()) client.disconnect();
  server.close();

  const floor = median(results.get(VARIANTS[0]!)!);
  console.log(
    `From cancel() until the server has seen the last of ${CALLS} sockets close; ${ROUNDS} interleaved rounds\n`,
  );
  console.log("| client | median | over the floor | max |");
  console.log("| --- | --: | --: | --: |");
  for (const [variant, times] of results) {
    const own = median(times);
    console.log(
      `| ${variant} | ${own.toFixed(2)} ms | ${(own - floor).toFixed(2)} ms | ${Math.max(...times).toFixed(2)} ms |`,
    );
  }
}
