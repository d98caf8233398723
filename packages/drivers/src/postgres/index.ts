import { readFile } from "node:fs/promises";

import { type Context, current, type Duration, run } from "@throughline/context";
import { callable, canEnd, milliseconds, oneOf, parentOf, refuseUnknown } from "@throughline/context/internal";
import { Semaphore } from "@throughline/resilience";

import { borrow, Call, type Driver, lease, requireMethods } from "../lease.ts";
import { kindOf, operationOf, Session } from "../session.ts";
import { Connection, intercept, isQuery, type Pool, type Query } from "./connection.ts";

/** A pool of postgres.js, as far as it is used here. Its own types fit. */
export interface PostgresSql {
  reserve(): Promise<unknown>;
  begin(...args: never[]): unknown;
  readonly options: object;
}

/** The function that the work of `sql.begin` is given. */
export type TransactionSql<S extends PostgresSql> = S extends { begin(...args: infer Args): unknown }
  ? Args extends [string, (sql: infer Transaction) => unknown]
    ? Transaction
    : never
  : never;

type Tag = (...args: unknown[]) => unknown;

/** The methods of a pool that are replaced. */
interface Sql extends Pool {
  readonly file: (...args: unknown[]) => Query;
  begin(...args: unknown[]): Promise<unknown>;
  reserve(): Promise<unknown>;
}

/** A pool, as it was before it was wrapped, with its driver. */
interface ContextPool {
  readonly sql: Sql;
  readonly driver: Driver<Connection>;
}

const known = new WeakMap<object, ContextPool>();

/** The driver of a pool; the same for all uses of the pool, as they share its connections. */
function ownOf(pool: PostgresSql, action: string): ContextPool {
  const entry = known.get(pool);
  if (entry !== undefined) return entry;
  requireMethods("sql", pool, ["reserve", "begin", "unsafe"], action);
  const sql = pool as unknown as Sql;
  const { max, host, port, database } = sql.options;
  const driver: Driver<Connection> = {
    acquire: () => Connection.reserve(sql),
    release: (connection) => connection.release(),
    destroy: (connection) => connection.destroy(),
    cancel: (connection) => connection.cancel(),
    isClean: (connection) => !connection.isInTransaction,
    permits: new Semaphore(max),
    target: `postgresql://${host[0]}:${port[0]}/${database}`,
  };
  const own = { sql, driver };
  known.set(pool, own);
  return own;
}

/**
 * Runs the queries of `write` until `ctx` ends: then they reject at once with `ctx.err()`, and the server cancels them.
 * Under a context that cannot end they are sent as they are.
 *
 * @param write is called with the wrapped pool: `(sql) => sql`select ...``
 * @throws ContextError `ctx.err()` if the context has ended or ends
 */
export async function query<S extends PostgresSql, T>(
  ctx: Context,
  sql: S,
  write: (sql: S) => PromiseLike<T>,
): Promise<T> {
  const context = parentOf(ctx, "query");
  callable("write", write, "query");
  const wrapped = withContext(sql);
  return run(context, async () => write(wrapped));
}

export interface TransactionOptions {
  /** How long the transaction may wait for a lock (`SET LOCAL lock_timeout`). @default what the server is set to */
  lockTimeout?: Duration;
  /** `"serializable"`, `"repeatable read"` or `"read committed"`. @default what the server is set to */
  isolation?: "serializable" | "repeatable read" | "read committed";
  /** How long a canceled statement may take to stop, before its connection is closed. @default "1s" */
  grace?: Duration;
}

/**
 * Runs `work` in a transaction, and commits it. When `ctx` ends, it rejects at once with `ctx.err()`, the statement
 * that runs is canceled, the transaction is rolled back, and the connection is returned; statements that `work` sends
 * later reject. A COMMIT that has been sent is not canceled: its result counts. `work` runs with `ctx` as the current
 * context.
 *
 * @throws ContextError `ctx.err()` if the context has ended or ends before COMMIT
 */
export async function transaction<S extends PostgresSql, T>(
  ctx: Context,
  sql: S,
  work: (sql: TransactionSql<S>) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const action = "run a transaction";
  const context = parentOf(ctx, action);
  callable("work", work, action);
  const { lockTimeout, isolation, grace = "1s", ...others } = options;
  refuseUnknown(others, action);
  oneOf("isolation", isolation, ["serializable", "repeatable read", "read committed"], action);
  const lock = lockTimeout === undefined ? undefined : milliseconds(lockTimeout, action, "lockTimeout");
  const begin: Begin = {
    mode: isolation === undefined ? "" : `isolation level ${isolation}`,
    settings: lock === undefined ? undefined : `set local lock_timeout = ${Math.max(1, Math.ceil(lock))}`,
  };
  const graceMs = milliseconds(grace, action, "grace");
  return transact(context, ownOf(sql, action), begin, work as Work, graceMs) as Promise<T>;
}

export interface WithContextOptions {
  /** How long a canceled statement may take to stop, before its connection is closed. @default "1s" */
  grace?: Duration;
}

/**
 * A tagged template function that runs each query under the context that is current when the query is written. A
 * query has a connection of its own; `sql.begin` and `sql.reserve` hold theirs: after the end of the context only
 * ROLLBACK is sent, and an open transaction is rolled back. The pool itself is not changed. Under a context that cannot
 * end it does nothing.
 *
 * `cancel()` of a query does nothing, as postgres.js does not report when the server has processed it: cancel the
 * context. COPY (`readable`, `writable`), `listen`, `subscribe` and `largeObject` are passed through.
 *
 * A statement that still runs when the response is sent is canceled. To let it finish, run it under
 * `withoutCancel(current())`.
 *
 * @throws TypeError if it is not a pool of postgres.js
 */
export function withContext<S extends PostgresSql>(sql: S, options: WithContextOptions = {}): S {
  const action = "wrap a pool";
  const { grace = "1s", ...others } = options;
  refuseUnknown(others, action);
  const graceMs = milliseconds(grace, action, "grace");
  const own = ownOf(sql, action);
  const adopt = sendBy((query, ctx, isSendable) => {
    if (!canEnd(ctx)) return undefined;
    if (query.streaming === true) return ctx.err() === undefined ? undefined : Promise.reject(ctx.err());
    const { answered, ...delivery } = intercept(query);
    const operation = operationOf(textOf(query));
    const send = async (connection: Connection): Promise<unknown> => {
      await isSendable;
      return connection.send({ query, answered, ctx, isLast: true });
    };
    return settle(delivery, lease(ctx, own.driver, send, { operation, grace: graceMs }));
  });
  const wrapped = tagged(own.sql, adopt, {
    begin(...args: [Work] | [string, Work]): Promise<unknown> {
      const ctx = current();
      const [mode, work] = args.length === 1 ? ["", args[0]] : args;
      return transact(ctx, own, { mode }, work, graceMs);
    },
    async reserve(): Promise<unknown> {
      const ctx = current();
      if (!canEnd(ctx)) return own.sql.reserve();
      const { session, adoptAs } = await openSession(ctx, own, graceMs);
      return tagged(session.connection.sql, adoptAs(), {
        ...POOL_ONLY,
        release: () => void session.release(),
      });
    },
  });
  known.set(wrapped, own);
  return wrapped as unknown as S;
}

type Adopt = (query: Query, isSendable?: Promise<void>) => Query;
type Work = (sql: unknown) => unknown;

/**
 * Gives queries another way to be sent: when they are first awaited.
 *
 * @param send returns a promise if it has sent the query; `undefined` if the library may do it
 */
function sendBy(
  send: (query: Query, ctx: Context, isSendable: Promise<void> | undefined) => Promise<void> | undefined,
): Adopt {
  return (query, isSendable) => {
    const own = query.handler;
    // It may be awaited elsewhere: run(ctx, () => sql`select 1`).
    const ctx = current();
    query.canceller = null;
    query.handler = (self) => {
      const sent = send(query, ctx, isSendable);
      if (sent === undefined) return own(self);
      return sent.catch(query.reject);
    };
    return query;
  };
}

/** Settles a query for its caller. */
async function settle(delivery: Pick<Query, "resolve" | "reject">, result: Promise<unknown>): Promise<void> {
  try {
    delivery.resolve(await result);
  } catch (error) {
    delivery.reject(error);
  }
}

/** Members that one connection does not have. */
const POOL_ONLY = { begin: undefined, reserve: undefined, end: undefined, close: undefined, listen: undefined };

/** A tagged template function that adopts the queries of `target`. */
function tagged<T extends object>(target: T, adopt: Adopt, overrides: Readonly<Record<string, unknown>>): T {
  const { unsafe, file } = target as unknown as Record<"unsafe" | "file", (...args: unknown[]) => Query>;
  const all: Record<string, unknown> = {
    unsafe: (...args: unknown[]) => adopt(unsafe(...args)),
    file(path: string, ...args: unknown[]) {
      const query = file(path, ...args);
      const read = readFile(path, "utf8").then((text) => void (query.strings = [text]));
      read.catch(() => {});
      return adopt(query, read);
    },
    ...overrides,
  };
  return new Proxy(target, {
    apply(made, _this, args) {
      const result = (made as Tag)(...(args as unknown[]));
      return isQuery(result) ? adopt(result) : result;
    },
    get: (object, key) =>
      typeof key === "string" && Object.hasOwn(all, key) ? all[key] : (Reflect.get(object, key, object) as unknown),
  });
}

interface OpenSession {
  readonly session: Session<Connection>;
  /** @param onError is called with the error of each query */
  readonly adoptAs: (onError?: (error: unknown) => void) => Adopt;
}

async function openSession(ctx: Context, { driver }: ContextPool, graceMs: number): Promise<OpenSession> {
  const borrowed = await borrow(ctx, driver, new Call(ctx, "CONNECT", driver.target));
  const { connection } = borrowed;
  const rollback = (): Promise<unknown> => {
    const query = connection.sql.unsafe("rollback");
    return connection.send({ query, answered: intercept(query).answered });
  };
  const session = new Session(ctx, borrowed, { graceMs, rollback });
  const adoptAs = (onError?: (error: unknown) => void): Adopt =>
    sendBy((query, _ctx, isSendable) => {
      const { answered, ...delivery } = intercept(query);
      const send = async (): Promise<unknown> => {
        await isSendable;
        const text = textOf(query);
        return session.run(kindOf(text), operationOf(text), (ctx) => connection.send({ query, answered, ctx }));
      };
      const result = send();
      if (onError !== undefined) result.catch(onError);
      return settle(delivery, result);
    });
  return { session, adoptAs };
}

interface Begin {
  readonly mode: string;
  readonly settings?: string | undefined;
}

async function transact(
  ctx: Context,
  own: ContextPool,
  { mode, settings }: Begin,
  work: Work,
  graceMs: number,
): Promise<unknown> {
  const { session, adoptAs } = await openSession(ctx, own, graceMs);
  const { sql } = session.connection;
  const send = (text: string): Query => adoptAs()(sql.unsafe(text));
  let savepoints = 0;
  let prepared: string | undefined;
  /** As in postgres.js, a query that has failed fails its scope, even if its error was caught. */
  const scope = async (work: Work): Promise<unknown> => {
    let failure: { readonly error: unknown } | undefined;
    const transaction = tagged(
      sql,
      adoptAs((error) => (failure ??= { error })),
      {
        savepoint,
        prepare: (name: string) => (prepared = name.replaceAll(/[^a-z0-9$\-_. ]/gi, "")),
      },
    );
    const result = await work(transaction);
    const all: unknown = Array.isArray(result) ? await Promise.all(result) : result;
    if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
    return all;
  };
  const savepoint = async (...args: [Work] | [string, Work]): Promise<unknown> => {
    const [name, work] = args.length === 1 ? ["", args[0]] : args;
    const id = `"s${savepoints++}${name === "" ? "" : `_${name.replaceAll('"', '""')}`}"`;
    await send(`savepoint ${id}`);
    try {
      return await scope(work);
    } catch (error) {
      await send(`rollback to ${id}`);
      throw error;
    }
  };
  const done = run(ctx, async () => {
    await send(`begin ${mode.replaceAll(/[^a-z ]/gi, "")}`);
    if (settings !== undefined) await send(settings);
    const result = await scope(work);
    await send(prepared === undefined ? "commit" : `prepare transaction '${prepared}'`);
    return result;
  });
  return session.untilEnd(done);
}

function textOf(query: Query): string {
  return query.strings[0] ?? "";
}
