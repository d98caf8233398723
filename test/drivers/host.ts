import type { Context } from "@throughline/context";

/** A client library under test, with a pool of {@link POOL_SIZE} connections to a server of its own. */
export interface DriverHost {
  readonly name: string;
  /** Why it cannot run on this machine; `undefined` if it can. */
  readonly missing: string | undefined;
  start(): Promise<RunningHost>;
}

export const POOL_SIZE = 3;

export interface RunningHost {
  /** Runs a statement that takes so long, and gives its result. */
  slow(ctx: Context, ms: number): Promise<unknown>;
  /** Runs a statement that the server refuses. */
  fail(ctx: Context): Promise<unknown>;
  /**
   * Runs a statement without a context of ours, on a connection of the same pool, that takes so long. It fails if a
   * cancel has hit it.
   */
  innocent(ms: number): Promise<void>;
  /** How many slow statements run at the server. */
  running(): Promise<number>;
  /** How many connections to the server are open, besides that which counts them. */
  connections(): Promise<number>;
  /** How many callers wait in the pool of the client library itself, if it reports that. */
  waiting?(): number;
  /** Absent for servers without transactions. */
  readonly transactions?: Transactions;
  stop(): Promise<void>;
}

/** Transactions on a table with one row, whose number the statements change. */
export interface Transactions {
  /** Begins one under the context, adds 1, does `meanwhile`, commits. */
  add(ctx: Context, meanwhile: (statement: (ms: number) => Promise<unknown>) => Promise<unknown>): Promise<unknown>;
  /** The number, as another connection sees it; it waits for no lock. */
  number(): Promise<number>;
  /** Changes the row on another connection: fails soon if it is locked. */
  touch(): Promise<void>;
  /** Sends BEGIN and a change, and returns the connection to the pool without COMMIT. */
  forget?(ctx: Context): Promise<unknown>;
}
