import { type Context, current, type Duration, run } from "@throughline/context";
import {
  callable,
  canEnd,
  milliseconds,
  onEnd,
  parentOf,
  refuseUnknown,
  type Stoppable,
} from "@throughline/context/internal";
import { Semaphore } from "@throughline/resilience";

import { borrow, Call, type Driver, lease, type LeaseOptions, requireMethods } from "../lease.ts";
import { overlay } from "../overlay.ts";
import { kindOf, operationOf, Session } from "../session.ts";
import { type CancelableClient, cancelRequest } from "./cancel-request.ts";

/** What is needed of a `Pool` of `pg`. Its own types fit. */
export interface PgPool {
  connect(): Promise<unknown>;
  query(...args: never[]): unknown;
  readonly options?: object;
}

/** A client of the pool: the members that this package uses. */
interface Client extends CancelableClient {
  query(...args: unknown[]): Promise<unknown>;
  release(isBroken?: boolean | Error): void;
  getTransactionStatus(): "I" | "T" | "E" | null;
}

interface PoolOptions {
  readonly max?: number;
  readonly pipeline?: boolean;
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly connectionString?: string;
}

/** Without the user and the password. */
function targetOf({ connectionString, host = "localhost", port = 5432, database = "" }: PoolOptions): string {
  const url = connectionString === undefined ? null : URL.parse(connectionString);
  if (url === null) return `postgresql://${host}:${port}/${database}`;
  return `postgresql://${url.hostname}:${url.port || 5432}${url.pathname}`;
}

/** An unwrapped pool and its driver. */
interface ContextPool {
  readonly pool: PgPool;
  readonly driver: Driver<Client>;
}

const known = new WeakMap<object, ContextPool>();

/** The driver of a pool; the same for all uses of the pool, as they share its connections. */
function ownOf(pool: PgPool, action: string): ContextPool {
  const entry = known.get(pool);
  if (entry !== undefined) return entry;
  requireMethods("pool", pool, ["connect", "query"], action);
  const { max = 10, pipeline, ...config } = (pool.options ?? {}) as PoolOptions;
  if (pipeline === true) {
    throw new TypeError(
      `Cannot ${action}: 'pipeline' of the pool must be false; received true: a cancel would hit the statements behind the canceled one too`,
    );
  }
  const driver: Driver<Client> = {
    acquire: () => pool.connect() as Promise<Client>,
    release: (client) => client.release(),
    destroy: (client) => client.release(true),
    cancel: cancelRequest,
    isClean: (client) => client.getTransactionStatus() === "I",
    permits: new Semaphore(max),
    target: targetOf(config),
  };
  const own = { pool, driver };
  known.set(pool, own);
  return own;
}

/**
 * Runs one statement on a connection of the pool, as `pool.query` does, until `ctx` ends: then it rejects at once with
 * `ctx.err()`, and the server cancels the statement. Under a context that cannot end it is `pool.query`.
 *
 * @throws ContextError `ctx.err()` if the context has ended or ends
 * @throws TypeError if the pool uses `pipeline: true`
 */
export function query<Row = Record<string, unknown>>(
  ctx: Context,
  pool: PgPool,
  text: string | object,
  values?: readonly unknown[],
): Promise<PgResult<Row>> {
  const context = parentOf(ctx, "query");
  const own = ownOf(pool, "query");
  const args = values === undefined ? [text] : [text, values];
  if (!canEnd(context)) return own.pool.query(...(args as never[])) as Promise<PgResult<Row>>;
  return queryUnder(context, own.driver, args) as Promise<PgResult<Row>>;
}

function queryUnder(ctx: Context, driver: Driver<Client>, args: unknown[], options?: LeaseOptions): Promise<unknown> {
  return lease(ctx, driver, (client) => client.query(...args), { ...options, operation: operationOf(textOf(args[0])) });
}

export interface TransactionOptions {
  /** How long the transaction may wait for a lock (`SET LOCAL lock_timeout`). @default what the server is set to */
  lockTimeout?: Duration;
  /** `"serializable"`, `"repeatable read"` or `"read committed"`. @default what the server is set to */
  isolation?: "serializable" | "repeatable read" | "read committed";
  /** @default "1s" */
  grace?: Duration;
}

/**
 * Runs `work` in a transaction, and commits it. When `ctx` ends, it rejects at once with `ctx.err()`, the statement
 * that runs is canceled, the transaction is rolled back, and the connection returned; statements that `work` sends
 * later reject. A COMMIT that has been sent is not canceled: its result counts. `work` runs with `ctx` as the current
 * context.
 *
 * @throws ContextError `ctx.err()` if the context has ended or ends before COMMIT
 */
export async function transaction<T>(
  ctx: Context,
  pool: PgPool,
  work: (client: PgClient) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const action = "run a transaction";
  const context = parentOf(ctx, action);
  callable("work", work, action);
  const { lockTimeout, isolation, grace = "1s", ...others } = options;
  refuseUnknown(others, action);
  const begin = isolation === undefined ? "BEGIN" : `BEGIN ISOLATION LEVEL ${isolationLevel(isolation, action)}`;
  const lock = lockTimeout === undefined ? undefined : milliseconds(lockTimeout, action, "lockTimeout");
  const graceMs = milliseconds(grace, action, "grace");
  const { session, client } = await openSession(context, ownOf(pool, action).driver, graceMs);
  const done = run(context, async () => {
    await client.query(begin);
    if (lock !== undefined) await client.query(`SET LOCAL lock_timeout = ${Math.max(1, Math.ceil(lock))}`);
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  });
  return session.untilEnd(done);
}

/**
 * The client that a transaction's work is given: that of `pg`, whose statements end with the context that is current
 * when they are sent.
 */
export interface PgClient {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as the types of pg have it: the caller says what a row is
  query<Row = Record<string, unknown>>(text: string | object, values?: readonly unknown[]): Promise<PgResult<Row>>;
}

/** The result of `pg`, whose own type fits. */
export interface PgResult<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
  readonly command: string;
}

function isolationLevel(isolation: string, action: string): string {
  if (["serializable", "repeatable read", "read committed"].includes(isolation)) return isolation.toUpperCase();
  throw new TypeError(
    `Cannot ${action}: 'isolation' must be "serializable", "repeatable read" or "read committed"; received ${JSON.stringify(isolation)}`,
  );
}

export interface WithContextOptions {
  /** How long a canceled statement may take to stop, before its connection is closed. @default "1s" */
  grace?: Duration;
}

/**
 * A pool that runs each statement under the context that is current when it is sent: a drop-in for libraries that are
 * given a `Pool`, such as Drizzle, Kysely, Prisma's adapter. Clients of `connect()` hold their connection for a
 * transaction: after the end of the context only ROLLBACK is sent, and an open transaction is rolled back. The pool
 * itself is not changed. Under a context that cannot end it does nothing.
 *
 * A statement that still runs when the response is sent is canceled. To let it finish, run it under
 * `withoutCancel(current())`.
 *
 * @throws TypeError if it is not a pool of `pg`, or uses `pipeline: true`
 */
export function withContext<P extends PgPool>(pool: P, options: WithContextOptions = {}): P {
  const action = "wrap a pool";
  const { grace = "1s", ...others } = options;
  refuseUnknown(others, action);
  const graceMs = milliseconds(grace, action, "grace");
  const own = ownOf(pool, action);
  const { driver } = own;
  const overrides: Record<string, unknown> = {
    query(...args: unknown[]): unknown {
      const ctx = current();
      if (!canEnd(ctx) || isSubmittable(args[0])) return own.pool.query(...(args as never[]));
      const callback = callbackOf(args);
      return answer(queryUnder(ctx, driver, args, { grace: graceMs }), callback);
    },
    connect(callback?: (error: unknown, client?: unknown, release?: unknown) => void): unknown {
      const ctx = current();
      if (!canEnd(ctx)) return own.pool.connect(...([callback].filter(Boolean) as []));
      const opened = openSession(ctx, driver, graceMs).then(({ client }) => client);
      if (callback === undefined) return opened;
      return void opened.then(
        (client) => callback(undefined, client, (error?: Error) => (client as unknown as Client).release(error)),
        (error: unknown) => callback(error),
      );
    },
  };
  const wrapped = overlay(own.pool as P, overrides);
  known.set(wrapped, own);
  return wrapped;
}

async function openSession(
  ctx: Context,
  driver: Driver<Client>,
  graceMs: number,
): Promise<{ session: Session<Client>; client: PgClient }> {
  const borrowed = await borrow(ctx, driver, new Call(ctx, "CONNECT", driver.target));
  const { connection } = borrowed;
  const session = new Session(ctx, borrowed, { graceMs, rollback: () => connection.query("ROLLBACK") });
  const cursors: Stoppable[] = [];
  const client = overlay(connection, {
    query(...args: unknown[]): unknown {
      if (isSubmittable(args[0])) {
        // Its end cannot be seen: it is canceled with its context, and then the connection is closed.
        cursors.push(onEnd(ctx, { contextEnded: () => void cancelRequest(connection).catch(() => {}) }));
        return (connection.query as (...args: unknown[]) => unknown)(...args);
      }
      const callback = callbackOf(args);
      const text = textOf(args[0]);
      return answer(
        session.run(kindOf(text), operationOf(text), () => connection.query(...args)),
        callback,
      );
    },
    release(isBroken?: boolean | Error): void {
      for (const cursor of cursors) cursor.stop();
      void session.release(Boolean(isBroken) || (cursors.length > 0 && ctx.err() !== undefined));
    },
  });
  return { session, client: client as unknown as PgClient };
}

/** Cursors, query streams and COPY are objects that the client runs. */
function isSubmittable(query: unknown): boolean {
  return typeof (query as { submit?: unknown } | null | undefined)?.submit === "function";
}

type Callback = (error: unknown, result?: unknown) => void;

/** Takes the callback from a list of arguments. */
function callbackOf(args: unknown[]): Callback | undefined {
  return typeof args.at(-1) === "function" ? (args.pop() as Callback) : undefined;
}

function answer(result: Promise<unknown>, callback: Callback | undefined): Promise<unknown> | undefined {
  if (callback === undefined) return result;
  return void result.then(
    (value) => callback(undefined, value),
    (error: unknown) => callback(error),
  );
}

function textOf(query: unknown): string {
  return typeof query === "string" ? query : ((query as { text?: string } | null | undefined)?.text ?? "");
}
