import type { EndedBy } from "@throughline/http/adapter";

import type { Call, Seen } from "./call.ts";

export type Protocol = "HTTP/1.1" | "HTTP/2";

/** One way in which a request may go. */
export interface Kind {
  readonly name: string;
  /** How many of a thousand requests are so, more or less. */
  readonly share: number;
  /** The gate that it enters the server by, and what its handler does: see `handlers.ts`. */
  readonly path: `/${string}/${string}`;
  /** What its client may see of it. */
  readonly seen: readonly Seen[];
  /** What the server may say that ended it. */
  readonly ended: readonly EndedBy[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds of its deadline, at least and at most. */
  readonly deadline?: readonly [least: number, most: number];
  readonly upload?: { readonly announced: number; readonly sent: number };
  readonly times?: number;
  /** Where it can only be sent over one of them. */
  readonly only?: Protocol;
  /**
   * What its client does.
   *
   * @param luck evenly in [0, 1)
   */
  readonly behave?: (call: Call, luck: number) => void;
}

/** Leaves after so many milliseconds at most. */
export function leaveWithin(most: number): NonNullable<Kind["behave"]> {
  return (call, luck) => void setTimeout(() => call.leave(luck), luck * most);
}

export function leaveAtOnce(call: Call, luck: number): void {
  call.leave(luck);
}
