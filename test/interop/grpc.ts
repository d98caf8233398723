import { setTimeout as delay } from "node:timers/promises";

import { background, current, run, withCancel, withTimeout } from "@throughline/context";
import { parseGrpcTimeout } from "@throughline/http/adapter";

import { check, skip } from "./checks.ts";
import { connectEcho, serveEcho } from "./echo.ts";
import { type CallResults, cleanUp, type Peer, peers, runClient, startServer } from "./peers.ts";

/** How much less of a deadline the server may see than was sent, and how late a cancellation, in milliseconds. */
const DEADLINE_WITHIN = 5;
const CANCEL_WITHIN = 50;

/** The request of a call. */
interface Request {
  readonly op: "remaining" | "wait" | "ended";
  readonly id?: number;
}

/** Calls the server of a peer with Throughline's client. */
async function callPeer(address: string): Promise<CallResults> {
  using client = connectEcho(address);
  const send = (message: Request): Promise<{ remaining: number | null; at: number | null }> =>
    client.call(message) as Promise<{ remaining: number | null; at: number | null }>;
  await send({ op: "remaining" });
  const calls: { sent: number; seen: number | null }[] = [];
  for (let times = 0; times < 9; times++) {
    const [ctx, cancel] = withTimeout(background, 2000);
    const { remaining } = await run(ctx, send, { op: "remaining" });
    cancel();
    calls.push({ sent: 2000, seen: remaining });
  }
  const [ctx, cancel] = withCancel(background);
  const waiting = run(ctx, send, { op: "wait", id: 1 }).catch(() => {});
  await delay(100);
  const canceled = Date.now();
  cancel();
  await waiting;
  await delay(200);
  const { at } = await send({ op: "ended", id: 1 });
  const late = await run(withTimeout(background, 100)[0], send, { op: "wait", id: 2 }).catch((error: unknown) => error);
  return { calls, canceled, seen: at, code: (late as { code?: number }).code ?? 0 };
}

/** Runs the client of a peer against Throughline's server. */
async function callFromPeer(peer: Peer): Promise<CallResults> {
  const ended = new Map<number, number>();
  await using served = await serveEcho(({ message, timeout, reply }) => {
    const { op, id = 0 } = message as Request;
    const ctx = current();
    const left = ctx.remaining();
    // The timeout of the header, because each implementation rounds its deadline differently.
    const sent = parseGrpcTimeout(timeout) ?? 0;
    if (op === "remaining") reply({ sent, remaining: left === Infinity ? null : left });
    else if (op === "ended") reply({ at: ended.get(id) ?? null });
    else ctx.signal.addEventListener("abort", () => ended.set(id, Date.now()));
  });
  // Awaited here, because the server stops at the end of this block.
  return await runClient(peer, served.address);
}

function printRow(client: string, server: string, { calls, canceled, seen, code }: CallResults): void {
  const less = calls.map((call) => (call.seen === null ? Infinity : call.sent - call.seen)).toSorted((a, b) => a - b);
  const median = less[Math.floor(less.length / 2)]!;
  const lag = seen === null ? Infinity : seen - canceled;
  const cells = [
    client,
    server,
    `${median.toFixed(1)} ms less${check(median > -0.5 && median <= DEADLINE_WITHIN)}`,
    `after ${lag.toFixed(1)} ms${check(lag <= CANCEL_WITHIN)}`,
    `code ${code}${check(code === 4)}`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/**
 * Calls between Throughline and other gRPC implementations in both directions: checks which deadline and which
 * cancellation the other side sees. Prints a table.
 */
export async function testGrpc(): Promise<void> {
  console.log("| client | server | deadline seen | cancellation seen | exceeded deadline |");
  console.log("| --- | --- | --- | --- | --- |");
  try {
    for (const peer of peers) {
      if (peer.missing !== undefined) continue;
      using server = await startServer(peer);
      printRow("Throughline", peer.name, await callPeer(server.address));
      printRow(peer.name, "Throughline", await callFromPeer(peer));
    }
  } finally {
    cleanUp();
  }
  for (const { name, missing } of peers) {
    if (missing !== undefined) skip(`gRPC of ${name}`, missing);
  }
}
