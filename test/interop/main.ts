// Who calls whom, and what the other side sees of a deadline and of a cancellation: `npm run test:interop`.
import { setTimeout as delay } from "node:timers/promises";

import { background, current, run, withCancel, withTimeout } from "@throughline/context";
import { parseGrpcTimeout } from "@throughline/http/adapter";

import { clientOf, serveEcho } from "../../packages/grpc/src/echo.fixture.ts";
import { receivedTimeout } from "../../packages/grpc/src/received-timeout.ts";
import { calling, cleanUp, type Peer, peers, serving, type Told } from "./peers.ts";

/** How much less of a deadline the other side may see than was sent, and how late a cancel, in milliseconds. */
const DEADLINE_WITHIN = 5;
const CANCEL_WITHIN = 50;

interface Ask {
  readonly op: "remaining" | "wait" | "ended";
  readonly id?: number;
}

/** What ours did, as a peer tells of its own. */
async function weCall(address: string): Promise<Told> {
  using client = clientOf(address);
  const ask = (message: Ask): Promise<{ remaining: number | null; at: number | null }> =>
    client.unary(message) as Promise<{ remaining: number | null; at: number | null }>;
  await ask({ op: "remaining" });
  const calls: { sent: number; seen: number | null }[] = [];
  for (let times = 0; times < 9; times++) {
    const [ctx, cancel] = withTimeout(background, 2000);
    const { remaining } = await run(ctx, ask, { op: "remaining" });
    cancel();
    calls.push({ sent: 2000, seen: remaining });
  }
  const [ctx, cancel] = withCancel(background);
  const waiting = run(ctx, ask, { op: "wait", id: 1 }).catch(() => {});
  await delay(100);
  const cancelled = Date.now();
  cancel();
  await waiting;
  await delay(200);
  const { at } = await ask({ op: "ended", id: 1 });
  const late = await run(withTimeout(background, 100)[0], ask, { op: "wait", id: 2 }).catch((error: unknown) => error);
  return { calls, cancelled, seen: at, code: (late as { code?: number }).code ?? 0 };
}

async function theyCall(peer: Peer): Promise<Told> {
  const ended = new Map<number, number>();
  await using served = await serveEcho({
    Unary(call, callback) {
      const { op, id = 0 } = call.request as Ask;
      const ctx = current();
      const left = ctx.remaining();
      // What came over the wire: each implementation rounds what it sends in its own way.
      const sent = parseGrpcTimeout(receivedTimeout(call.metadata) ?? "") ?? 0;
      if (op === "remaining") callback(null, { sent, remaining: left === Infinity ? null : left });
      else if (op === "ended") callback(null, { at: ended.get(id) ?? null });
      else ctx.signal.addEventListener("abort", () => ended.set(id, Date.now()));
    },
  });
  // Awaited, as what is served ends with this block.
  return await calling(peer, served.address);
}

let passed = 0;
let failed = 0;

function check(holds: boolean): string {
  if (holds) passed += 1;
  else failed += 1;
  return holds ? "" : " NOT SO";
}

function row(who: string, whom: string, { calls, cancelled, seen, code }: Told): void {
  const less = calls.map((call) => (call.seen === null ? Infinity : call.sent - call.seen)).toSorted((a, b) => a - b);
  const median = less[Math.floor(less.length / 2)]!;
  const lag = seen === null ? Infinity : seen - cancelled;
  const cells = [
    who,
    whom,
    `${median.toFixed(1)} ms less${check(median > -0.5 && median <= DEADLINE_WITHIN)}`,
    `after ${lag.toFixed(1)} ms${check(lag <= CANCEL_WITHIN)}`,
    `code ${code}${check(code === 4)}`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

console.log("| who calls | whom | deadline seen | cancel seen | a deadline that passes |");
console.log("| --- | --- | --- | --- | --- |");
const missing: Peer[] = [];
try {
  for (const peer of peers) {
    if (peer.missing !== undefined) {
      missing.push(peer);
      continue;
    }
    using server = await serving(peer);
    row("ours", peer.name, await weCall(server.address));
    row(peer.name, "ours", await theyCall(peer));
  }
} finally {
  cleanUp();
}
for (const { name, missing: what } of missing) {
  console.log(`\nSKIPPED: ${name} was not tried, as it needs ${what}.`);
}
console.log(`\n${passed} passed, ${failed} failed, ${missing.length} of ${peers.length} peers skipped`);
if (failed > 0) process.exitCode = 1;
