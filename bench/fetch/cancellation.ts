import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { Order, Way } from "./abandoning-client.ts";
import { median } from "./median.ts";
import { startClient } from "./start-client.ts";
import { stayAwake } from "./stay-awake.ts";

const ROUNDS = 20;
const WARM_UPS = 20;
const CALLS = 100;
const WAYS: readonly Way[] = [
  "one AbortController (floor)",
  "ours: fanOut under withCancel",
  "AbortSignal.any for each call",
];

/** Milliseconds from the client's cancel until the server has seen the last socket close. */
async function measure(client: ChildProcess, server: Server): Promise<number> {
  const order = (what: Order): void => void client.send(what);
  const closed = new Promise<bigint>((resolve) => {
    let [arrived, gone] = [0, 0];
    server.removeAllListeners("request").on("request", ({ socket }) => {
      socket.once("close", () => {
        if (++gone === CALLS) resolve(process.hrtime.bigint());
      });
      if (++arrived === CALLS) order("cancel");
    });
  });
  order("call");
  const until = await closed;
  order("tell");
  const [from] = (await once(client, "message")) as [string];
  // One clock for all processes of a machine.
  return Number(until - BigInt(from)) / 1e6;
}

/** Prints how long it takes until calls that are not wanted any more are off the server, in each of the ways that are compared. */
export async function cancellation(): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/items/`;

  const sleep = stayAwake();
  const clients = new Map<Way, ChildProcess>();
  const results = new Map(WAYS.map((way) => [way, [] as number[]]));
  for (const way of WAYS) {
    const client = startClient("abandoning-client.ts", way, url, String(CALLS));
    await once(client, "message");
    clients.set(way, client);
  }
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    for (const [way, client] of clients) {
      const time = await measure(client, server);
      if (round >= 0) results.get(way)!.push(time);
    }
  }
  sleep();
  for (const client of clients.values()) client.disconnect();
  server.close();

  const floor = median(results.get(WAYS[0]!)!);
  console.log(
    `From cancel() until the server has seen the last of ${CALLS} sockets close; ${ROUNDS} interleaved rounds\n`,
  );
  console.log("| client | median | over the floor | max |");
  console.log("| --- | --: | --: | --: |");
  for (const [way, times] of results) {
    const own = median(times);
    console.log(
      `| ${way} | ${own.toFixed(2)} ms | ${(own - floor).toFixed(2)} ms | ${Math.max(...times).toFixed(2)} ms |`,
    );
  }
}
