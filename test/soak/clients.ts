import type { Line } from "./call.ts";
import { hasAllItsRoom } from "./full-house.ts";
import { Http1Line } from "./http1-line.ts";
import { Http2Line, SharedSession } from "./http2-line.ts";
import { load } from "./load.ts";
import { type Drawn, mix } from "./mix.ts";
import type { Ports } from "./server.ts";
import type { Tally } from "./tally.ts";

/** How many requests are under way at a time, over HTTP/1.1 and to each server of HTTP/2; so many of the latter share a session. */
const HTTP1_LINES = 160;
const HTTP2_LINES = 60;
const SHARING = 10;

/** All clients of one server. */
interface Clients {
  /** Of all requests. */
  readonly share: number;
  readonly draw: () => Drawn;
  lines(count?: number): Line[];
}

export function clientsOf({ express, http2, streams }: Ports, seed: number): readonly Clients[] {
  return [
    { share: 0.7, draw: mix("HTTP/1.1", seed), lines: (count = HTTP1_LINES) => http1Lines(express, count) },
    { share: 0.15, draw: mix("HTTP/2", seed + 1), lines: (count = HTTP2_LINES) => http2Lines(http2, count) },
    { share: 0.15, draw: mix("HTTP/2", seed + 2), lines: (count = HTTP2_LINES) => http2Lines(streams, count) },
  ];
}

/** Sends so many requests to all servers, and leaves no connection. */
export async function loadAll(clients: readonly Clients[], requests: number, tally: Tally): Promise<void> {
  await Promise.all(clients.map(({ lines, draw, share }) => load(lines(), draw, Math.round(requests * share), tally)));
}

/** The gates that have fewer places than in the beginning. */
export async function gatesWithoutRoom(clients: readonly Clients[]): Promise<string[]> {
  const found: string[] = [];
  for (const [index, { lines }] of clients.entries()) {
    for (const gate of ["admitted", "inner"]) {
      if (!(await hasAllItsRoom(gate, lines))) found.push(`${gate} of ${["Express", "http2", "streams"][index]}`);
    }
  }
  return found;
}

function http1Lines(port: number, count: number): Line[] {
  return Array.from({ length: count }, () => new Http1Line(port));
}

function http2Lines(port: number, count: number): Line[] {
  const sessions = Array.from({ length: Math.ceil(count / SHARING) }, () => new SharedSession(port));
  return Array.from({ length: count }, (_, index) => new Http2Line(sessions[index % sessions.length]!));
}
