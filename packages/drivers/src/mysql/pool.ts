import { type Context, current, type Duration, run } from "@throughline/context";
import { callable, canEnd, milliseconds, parentOf, refuseUnknown } from "@throughline/context/internal";
import { Semaphore } from "@throughline/resilience";

import { borrow, Call, type Driver, lease, requireMethods } from "../lease.ts";
import { overlay } from "../overlay.ts";
import { kindOf, operationOf, Session } from "../session.ts";

// Shared by mysql2 and mariadb: both return promises, and stop a statement by KILL QUERY.

export interface MySqlPool {
  getConnection(): Promise<unknown>;
  query(...args: never[]): Promise<unknown>;
}

/** A connection of either: the members that this package uses. */
export interface Connection {
  query(...args: unknown[]): Promise<unknown>;
  rollback(): Promise<unknown>;
  release(): unknown;
  destroy(): unknown;
}

/** A connection for KILL QUERY, which is kept open, as a full server refuses new ones. */
export interface ControlConnection {
  query(sql: string): Promise<unknown>;
  /** Lets the process end while the connection is idle. */
  unref(): void;
  onClosed(callback: () => void): void;
  close(): Promise<unknown>;
}

/** How the two client libraries differ. */
export interface MySqlLibrary {
  readonly max: number;
  readonly target: string;
  threadId(connection: Connection): number;
  connectControl(): Promise<ControlConnection>;
  /** Methods of a connection that send a statement. */
  readonly statements: readonly string[];
  /** Whether a transaction is open, if the library reports it. */
  isInTransaction?(connection: Connection): boolean;
}

/** An unwrapped pool and its driver. */
export interface ContextPool {
  readonly pool: MySqlPool;
  readonly driver: Driver<Connection>;
  readonly library: MySqlLibrary;
  /** Closes the connection for KILL QUERY. */
  closeControl(): Promise<void>;
}

export function contextPool(pool: MySqlPool, library: MySqlLibrary, action: string): ContextPool {
  requireMethods("pool", pool, ["getConnection", "query"], action);
  let control: Promise<ControlConnection> | undefined;
  const connected = (): Promise<ControlConnection> => {
    control ??= library.connectControl().then(
      (connection) => {
        connection.unref();
        connection.onClosed(() => (control = undefined));
        return connection;
      },
      (error: unknown) => {
        control = undefined;
        throw error;
      },
    );
    return control;
  };
  const driver: Driver<Connection> = {
    async acquire() {
      // Before it is needed: a server at its limit would refuse it later.
      await connected();
      return (await pool.getConnection()) as Connection;
    },
    release: (connection) => void connection.release(),
    destroy: (connection) => void connection.destroy(),
    cancel: async (connection) => (await connected()).query(`KILL QUERY ${library.threadId(connection)}`),
    isClean: (connection) => !(library.isInTransaction?.(connection) ?? inTransaction.has(connection)),
    permits: new Semaphore(library.max),
    target: library.target,
  };
  const closeControl = async (): Promise<void> => {
    const connection = await control?.catch(() => undefined);
    control = undefined;
    await connection?.close();
  };
  return { pool, driver, library, closeControl };
}

/** Connections with an open transaction, for the library that does not report it. */
const inTransaction = new WeakSet<object>();

const BEGINS = /^(?:begin|start\s+transaction|set\s+autocommit|xa\s+start)\b/i;

export function queryUnder(
  ctx: Context,
  { pool, driver }: ContextPool,
  method: string,
  args: readonly unknown[],
  grace?: Duration,
): Promise<unknown> {
  const call = (target: unknown): Promise<unknown> =>
    (target as Record<string, (...args: readonly unknown[]) => Promise<unknown>>)[method]!(...args);
  if (!canEnd(ctx)) return call(pool);
  const operation = operationOf(textOf(args[0]));
  return lease(ctx, driver, call, grace === undefined ? { operation } : { operation, grace });
}

export interface WithContextOptions {
  /** How long a canceled statement may take to stop, before its connection is closed. @default "1s" */
  grace?: Duration;
}

export function wrapPool(own: ContextPool, { grace = "1s", ...others }: WithContextOptions, action: string): object {
  const pool = own.pool as MySqlPool & { end?(): Promise<unknown> };
  const { library } = own;
  refuseUnknown(others, action);
  const graceMs = milliseconds(grace, action, "grace");
  const statements = library.statements
    .filter((method) => method in pool)
    .map((method) => [method, (...args: unknown[]) => queryUnder(current(), own, method, args, graceMs)]);
  return overlay(pool, {
    ...Object.fromEntries(statements),
    async getConnection(): Promise<unknown> {
      const ctx = current();
      return canEnd(ctx) ? (await openSession(ctx, own, graceMs)).client : pool.getConnection();
    },
    async end(...args: []): Promise<unknown> {
      await own.closeControl();
      return pool.end?.(...args);
    },
  });
}

export interface TransactionOptions {
  /** @default "1s" */
  grace?: Duration;
}

export async function transact<T>(
  ctx: Context,
  own: ContextPool,
  work: (connection: never) => Promise<T>,
  { grace = "1s", ...others }: TransactionOptions,
): Promise<T> {
  const action = "run a transaction";
  const context = parentOf(ctx, action);
  callable("work", work, action);
  refuseUnknown(others, action);
  const { session, client } = await openSession(context, own, milliseconds(grace, action, "grace"));
  return session.untilEnd(
    run(context, async () => {
      await client.query("START TRANSACTION");
      const result = await work(client as never);
      await client.query("COMMIT");
      return result;
    }),
  );
}

async function openSession(
  ctx: Context,
  { driver, library }: ContextPool,
  graceMs: number,
): Promise<{ session: Session<Connection>; client: Connection }> {
  const borrowed = await borrow(ctx, driver, new Call(ctx, "CONNECT", driver.target));
  const { connection } = borrowed;
  const rollback = async (): Promise<void> => {
    await connection.rollback();
    inTransaction.delete(connection);
  };
  const session = new Session(ctx, borrowed, { graceMs, rollback });
  const send = (method: string, sql: string, args: readonly unknown[]): Promise<unknown> => {
    const kind = kindOf(sql);
    if (BEGINS.test(sql.trimStart())) inTransaction.add(connection);
    return session.run(kind, operationOf(sql), async () => {
      const methods = connection as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
      const result = await methods[method]!(...args);
      if (kind !== "statement") inTransaction.delete(connection);
      return result;
    });
  };
  const statements = library.statements.map((method) => [
    method,
    (...args: unknown[]) => send(method, textOf(args[0]), args),
  ]);
  const client = overlay(connection, {
    ...Object.fromEntries(statements),
    beginTransaction: () => send("beginTransaction", "BEGIN", []),
    commit: () => send("commit", "COMMIT", []),
    rollback: () => send("rollback", "ROLLBACK", []),
    release: () => session.release(),
  });
  return { session, client };
}

function textOf(query: unknown): string {
  return typeof query === "string" ? query : ((query as { sql?: string } | null | undefined)?.sql ?? "");
}
