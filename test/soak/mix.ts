import type { Wanted } from "./call.ts";
import type { Kind, Protocol } from "./kind.ts";
import { ADMITTED } from "./kinds-admitted.ts";
import { ANSWERED } from "./kinds-answered.ts";
import { LATE } from "./kinds-late.ts";
import { LEAVING } from "./kinds-leaving.ts";
import { randomFrom } from "./random.ts";

/** By their numbers the server tells of them. */
export const KINDS: readonly Kind[] = [...ANSWERED, ...LEAVING, ...LATE, ...ADMITTED];

/** A kind that was drawn, with all that is left to chance. */
export interface Drawn {
  readonly kind: Kind;
  readonly wanted: Wanted;
  readonly luck: number;
}

/** An endless sequence of requests for one protocol: the same for the same seed. */
export function mix(protocol: Protocol, seed: number): () => Drawn {
  const random = randomFrom(seed);
  const kinds = KINDS.filter(({ only = protocol }) => only === protocol);
  const total = kinds.reduce((sum, { share }) => sum + share, 0);
  return () => {
    let left = random() * total;
    const kind = kinds.find(({ share }) => (left -= share) < 0)!;
    return { kind, wanted: wantedFor(kind, random()), luck: random() };
  };
}

export function wantedFor(kind: Kind, luck: number): Wanted {
  const { path, headers = {}, deadline, upload, times = 1 } = kind;
  return {
    path: `${path}?kind=${KINDS.indexOf(kind)}`,
    headers: deadline === undefined ? headers : { ...headers, "grpc-timeout": `${between(deadline, luck)}m` },
    upload,
    times,
  };
}

function between([least, most]: readonly [number, number], luck: number): number {
  return least + Math.round(luck * (most - least));
}
