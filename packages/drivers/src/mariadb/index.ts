import type { Context } from "@throughline/context";
import { describeValue, parentOf } from "@throughline/context/internal";
import {
  type ConnectionConfig,
  createConnection,
  type Pool,
  type PoolConfig,
  type PoolConnection,
  type QueryOptions,
} from "mariadb";

import {
  contextPool,
  type ContextPool,
  type ControlConnection,
  type MySqlLibrary,
  queryUnder,
  transact,
  type TransactionOptions,
  type WithContextOptions as SharedOptions,
  wrapPool,
} from "../mysql/pool.ts";

export { type TransactionOptions } from "../mysql/pool.ts";

export interface WithContextOptions extends SharedOptions {
  /**
   * The options that the pool was made with, for the connection that sends KILL QUERY: the connector does not expose
   * them.
   */
  config: PoolConfig;
}

const known = new WeakMap<object, ContextPool>();

/** The status flag of an open transaction in the protocol. */
const IN_TRANSACTION = 1;

/**
 * A pool that runs each statement under the context that is current when it is sent. Connections of `getConnection()`
 * are for transactions: after the end of the context only ROLLBACK is sent, and an open transaction is rolled back.
 * `query` and `transaction` take this pool too.
 *
 * A statement that still runs when the response is sent is stopped. To let it finish, run it under
 * `withoutCancel(current())`.
 *
 * @throws TypeError if an option is wrong
 */
export function withContext(pool: Pool, { config, ...options }: WithContextOptions): Pool {
  const action = "wrap a pool";
  if (typeof config !== "object" || config === null) {
    throw new TypeError(
      `Cannot ${action}: 'config' must be the options of the pool; received ${describeValue(config)}`,
    );
  }
  const { connectionLimit = 10, host = "localhost", port = 3306, database = "" } = config;
  const library: MySqlLibrary = {
    max: connectionLimit,
    target: `mariadb://${host}:${port}/${database}`,
    statements: ["query", "execute", "batch"],
    threadId: (connection) => (connection as unknown as PoolConnection).threadId!,
    isInTransaction: (connection) =>
      (((connection as unknown as { info: { status: number } }).info.status & IN_TRANSACTION) as number) !== 0,
    async connectControl(): Promise<ControlConnection> {
      const connection = await createConnection(connectionConfig(config));
      connection.on("error", () => {});
      return {
        query: (sql) => connection.query(sql),
        // The connector does not expose its socket.
        unref: () => {},
        close: () => connection.end(),
        onClosed: (callback) => void connection.on("end", callback).on("error", callback),
      };
    },
  };
  const own = contextPool(pool, library, action);
  const wrapped = wrapPool(own, options, action) as Pool;
  known.set(wrapped, own);
  return wrapped;
}

/** Removes the options that only pools accept. */
function connectionConfig({
  connectionLimit: _connectionLimit,
  acquireTimeout: _acquireTimeout,
  idleTimeout: _idleTimeout,
  minimumIdle: _minimumIdle,
  ...config
}: PoolConfig): ConnectionConfig {
  return config;
}

function ownOf(pool: Pool, action: string): ContextPool {
  const entry = known.get(pool);
  if (entry !== undefined) return entry;
  throw new TypeError(`Cannot ${action}: 'pool' must be one that withContext(pool, { config }) has returned`);
}

/**
 * Runs one statement on a connection of the pool until `ctx` ends: then it rejects at once with `ctx.err()`, and the
 * server stops the statement (KILL QUERY, on a connection that is kept for it).
 *
 * @param pool one that {@link withContext} has returned
 * @throws ContextError `ctx.err()` if the context has ended or ends
 */
export function query<T = unknown>(ctx: Context, pool: Pool, sql: string | QueryOptions, values?: unknown): Promise<T> {
  const args = values === undefined ? [sql] : [sql, values];
  return queryUnder(parentOf(ctx, "query"), ownOf(pool, "query"), "query", args) as Promise<T>;
}

/**
 * Runs `work` in a transaction, and commits it. When `ctx` ends, it rejects at once with `ctx.err()`, the statement
 * that runs is stopped, and the transaction is rolled back. A COMMIT that has been sent is not stopped: its result
 * counts. `work` runs with `ctx` as the current context.
 *
 * @param pool one that {@link withContext} has returned
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
