import type { Context } from "@throughline/context";
import { parentOf } from "@throughline/context/internal";
import {
  createConnection,
  type FieldPacket,
  type Pool,
  type PoolConnection,
  type QueryOptions,
  type QueryResult,
} from "mysql2/promise";

import {
  contextPool,
  type ContextPool,
  type ControlConnection,
  type MySqlLibrary,
  queryUnder,
  transact,
  type TransactionOptions,
  type WithContextOptions,
  wrapPool,
} from "../mysql/pool.ts";

export { type TransactionOptions, type WithContextOptions } from "../mysql/pool.ts";

/** The parts of a pool that mysql2 does not have in its types. */
interface CorePool {
  readonly config: {
    readonly connectionLimit: number;
    readonly connectionConfig: { readonly host: string; readonly port: number; readonly database?: string };
  };
}

const known = new WeakMap<object, ContextPool>();

function ownOf(pool: Pool, action: string): ContextPool {
  let entry = known.get(pool);
  if (entry !== undefined) return entry;
  const core = (pool as unknown as { pool?: CorePool }).pool;
  if (core?.config === undefined) {
    throw new TypeError(
      `Cannot ${action}: 'pool' must be made by createPool of "mysql2/promise"; or pass pool.promise()`,
    );
  }
  const { connectionLimit, connectionConfig } = core.config;
  const { host, port, database = "" } = connectionConfig;
  const library: MySqlLibrary = {
    max: connectionLimit,
    target: `mysql://${host}:${port}/${database}`,
    statements: ["query", "execute"],
    threadId: (connection) => (connection as unknown as { connection: { threadId: number } }).connection.threadId,
    async connectControl(): Promise<ControlConnection> {
      // The pool adds options that createConnection does not accept.
      const {
        maxPacketSize: _size,
        clientFlags: _flags,
        ...config
      } = connectionConfig as unknown as Record<string, unknown>;
      const connection = await createConnection(config);
      const { stream } = (connection as unknown as { connection: { stream: { unref(): void } } }).connection;
      connection.on("error", () => {});
      return {
        query: (sql) => connection.query(sql),
        unref: () => stream.unref(),
        close: () => connection.end(),
        onClosed: (callback) => void connection.on("end", callback).on("error", callback),
      };
    },
  };
  entry = contextPool(pool, library, action);
  known.set(pool, entry);
  return entry;
}

/**
 * Runs one statement on a connection of the pool, as `pool.query` does, until `ctx` ends: then it rejects at once with
 * `ctx.err()`, and the server stops the statement (KILL QUERY, on a connection that is kept for it). Under a context
 * that cannot end it is `pool.query`.
 *
 * @throws ContextError `ctx.err()` if the context has ended or ends
 */
export function query<T extends QueryResult = QueryResult>(
  ctx: Context,
  pool: Pool,
  sql: string | QueryOptions,
  values?: unknown,
): Promise<[T, FieldPacket[]]> {
  const args = values === undefined ? [sql] : [sql, values];
  return queryUnder(parentOf(ctx, "query"), ownOf(pool, "query"), "query", args) as Promise<[T, FieldPacket[]]>;
}

/**
 * Runs `work` in a transaction, and commits it. When `ctx` ends, it rejects at once with `ctx.err()`, the statement
 * that runs is stopped, and the transaction is rolled back. A COMMIT that has been sent is not stopped: its result
 * counts. `work` runs with `ctx` as the current context.
 *
 * @throws ContextError `ctx.err()` if the context has ended or ends before COMMIT
 */
export function transaction<T>(
  ctx: Context,
  pool: Pool,
  work: (connection: PoolConnection) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  return transact(ctx, ownOf(pool, "run a transaction"), work, options);
}

/**
 * A pool that runs each statement under the context that is current when it is sent: a drop-in for libraries that are
 * given a pool of mysql2, such as Drizzle. Connections of `getConnection()` are for transactions: after the end of the
 * context only ROLLBACK is sent, and an open transaction is rolled back.
 *
 * A statement that still runs when the response is sent is stopped. To let it finish, run it under
 * `withoutCancel(current())`.
 *
 * @throws TypeError if it is not a pool of `mysql2/promise`
 */
export function withContext<P extends Pool>(pool: P, options: WithContextOptions = {}): P {
  const own = ownOf(pool, "wrap a pool");
  const wrapped = wrapPool(own, options, "wrap a pool") as P;
  known.set(wrapped, own);
  return wrapped;
}
