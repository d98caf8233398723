import type { Call, Sender } from "./call.ts";
import { Http1Sender } from "./http1-sender.ts";
import { Http2Sender, SharedSession } from "./http2-sender.ts";
import { CONCURRENCY, KINDS, QUEUE } from "./kinds.ts";
import { type Drawn, mix, wantedFor } from "./mix.ts";
import type { OutcomeCounts } from "./outcome-counts.ts";
import type { Ports } from "./server.ts";

/** Concurrent requests over HTTP/1.1 and to each HTTP/2 server, and how many HTTP/2 senders share a session. */
const HTTP1_SENDERS = 160;
const HTTP2_SENDERS = 60;
const PER_SESSION = 10;

/** The clients of one server. */
interface Clients {
  /** Their share of all requests. */
  readonly share: number;
  readonly draw: () => Drawn;
  senders(count?: number): Sender[];
}

export function clientsOf({ express, http2, streams }: Ports, seed: number): readonly Clients[] {
  return [
    { share: 0.7, draw: mix("HTTP/1.1", seed), senders: (count = HTTP1_SENDERS) => http1Senders(express, count) },
    { share: 0.15, draw: mix("HTTP/2", seed + 1), senders: (count = HTTP2_SENDERS) => http2Senders(http2, count) },
    { share: 0.15, draw: mix("HTTP/2", seed + 2), senders: (count = HTTP2_SENDERS) => http2Senders(streams, count) },
  ];
}

/** Sends this many requests to all servers and closes all connections. */
export async function loadAll(clients: readonly Clients[], requests: number, counts: OutcomeCounts): Promise<void> {
  await Promise.all(
    clients.map(({ senders, draw, share }) => load(senders(), draw, Math.round(requests * share), counts)),
  );
}

/** The gates that admit fewer requests than at the start. */
export async function gatesWithLostCapacity(clients: readonly Clients[]): Promise<string[]> {
  const found: string[] = [];
  for (const [index, { senders }] of clients.entries()) {
    for (const gate of ["admitted", "inner"]) {
      if (!(await hasFullCapacity(gate, senders))) found.push(`${gate} of ${["Express", "http2", "streams"][index]}`);
    }
  }
  return found;
}

function http1Senders(port: number, count: number): Sender[] {
  return Array.from({ length: count }, () => new Http1Sender(port));
}

function http2Senders(port: number, count: number): Sender[] {
  const sessions = Array.from({ length: Math.ceil(count / PER_SESSION) }, () => new SharedSession(port));
  return Array.from({ length: count }, (_, index) => new Http2Sender(sessions[index % sessions.length]!));
}

/** A request that takes longer, in milliseconds, counts as hung. Normal requests take less than a tenth of it. */
const HANG_MS = 10_000;

/**
 * Sends this many requests, each sender one at a time, and closes the senders. Stops when a request hangs, because all others
 * would be as slow.
 */
async function load(
  senders: readonly Sender[],
  draw: () => Drawn,
  requests: number,
  counts: OutcomeCounts,
): Promise<void> {
  let left = requests;
  const open = new Set<Call>();
  async function work(sender: Sender): Promise<void> {
    while (left > 0 && !counts.hasHung) {
      const { kind, wanted, random } = draw();
      left -= wanted.times;
      const call = sender.send(wanted);
      open.add(call);
      kind.behave?.(call, random);
      counts.of(kind).add(await call.end, wanted.times);
      open.delete(call);
    }
  }
  const guard = setInterval(() => {
    for (const call of open) if (performance.now() - call.since > HANG_MS) call.giveUp();
  }, 1000);
  await Promise.all(senders.map(work));
  clearInterval(guard);
  for (const sender of senders) sender.close();
}

/** Time for the requests that check the capacity, in milliseconds; each runs for a few. */
const CAPACITY_MS = 5000;

/**
 * Sends as many requests at once as a gate runs and queues. Returns whether all were served; a lost slot shows here.
 */
async function hasFullCapacity(gate: string, senders: (count: number) => Sender[]): Promise<boolean> {
  const kind = KINDS.find(({ path, seen }) => path.startsWith(`/${gate}/`) && seen.includes("503"))!;
  const all = senders(CONCURRENCY + QUEUE);
  const calls = all.map((sender) => sender.send(wantedFor(kind, 0)));
  const late = setTimeout(() => calls.forEach((call) => call.giveUp()), CAPACITY_MS);
  const seen = await Promise.all(calls.map(({ end }) => end));
  clearTimeout(late);
  for (const sender of all) sender.close();
  return seen.every((each) => each === "200");
}
