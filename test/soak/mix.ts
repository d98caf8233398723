import type { Wanted } from "./call.ts";
import { type Kind, KINDS, type Protocol } from "./kinds.ts";

/** A random kind with its random parts. */
export interface Drawn {
  readonly kind: Kind;
  readonly wanted: Wanted;
  readonly random: number;
}

/** An endless sequence of requests for one protocol, the same for the same seed. */
export function mix(protocol: Protocol, seed: number): () => Drawn {
  const next = randomFrom(seed);
  const kinds = KINDS.filter(({ only = protocol }) => only === protocol);
  const total = kinds.reduce((sum, { share }) => sum + share, 0);
  return () => {
    let left = next() * total;
    const kind = kinds.find(({ share }) => (left -= share) < 0)!;
    return { kind, wanted: wantedFor(kind, next()), random: next() };
  };
}

export function wantedFor(kind: Kind, random: number): Wanted {
  const { path, headers = {}, deadline, upload, times = 1 } = kind;
  return {
    path: `${path}?kind=${KINDS.indexOf(kind)}`,
    headers: deadline === undefined ? headers : { ...headers, "grpc-timeout": `${between(deadline, random)}m` },
    upload,
    times,
  };
}

function between([least, most]: readonly [number, number], random: number): number {
  return least + Math.round(random * (most - least));
}

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
