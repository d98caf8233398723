import type { Context } from "@throughline/context";
import { canEnd, parentOf } from "@throughline/context/internal";

import { Call, requireMethods } from "../lease.ts";

/** The options of Kysely that a query is given. */
export interface AbortOptions {
  readonly signal: AbortSignal;
  readonly inflightQueryAbortStrategy: "cancel query";
}

/** A query builder of Kysely. */
export interface KyselyQuery<T> {
  execute(options?: AbortOptions): Promise<T>;
}

/** A raw query of Kysely: `sql`select ...``. */
export interface RawKyselyQuery<T> {
  readonly isRawBuilder: true;
  execute(db: never, options?: AbortOptions): Promise<T>;
}

/**
 * Executes a query by Kysely's own means until `ctx` ends: then it rejects at once with `ctx.err()`, and Kysely has the
 * server cancel the statement. Under a context that cannot end it is `query.execute()`.
 *
 * It is for dialects whose pool cannot be wrapped. With `new PostgresDialect({ pool: withContext(pool) })`, by
 * `withContext` of `@throughline/drivers/pg`, nothing else is needed, transactions included.
 *
 * Kysely needs a connection to cancel a statement: give the dialect a control client (`controlClient: pg.Client`), as
 * it would wait for one of the pool otherwise. The wait for a connection ends with the context, but its waiter stays in
 * the pool.
 *
 * @throws ContextError `ctx.err()` if the context has ended or ends
 * @throws Error that of Kysely, if its dialect cannot cancel queries
 */
export async function execute<T>(ctx: Context, db: object, query: KyselyQuery<T> | RawKyselyQuery<T>): Promise<T> {
  const action = "execute a query";
  const context = parentOf(ctx, action);
  requireMethods("db", db, ["executeQuery"], action);
  requireMethods("query", query, ["execute"], action);
  if (!canEnd(context)) return executeBy(db, query);
  context.throwIfAborted();
  const call = new Call(context, "QUERY");
  try {
    return await executeBy(db, query, { signal: context.signal, inflightQueryAbortStrategy: "cancel query" });
  } catch (error) {
    const end = context.err();
    if (end === undefined) throw error;
    call.interrupted("query");
    throw end;
  }
}

function executeBy<T>(db: object, query: KyselyQuery<T> | RawKyselyQuery<T>, options?: AbortOptions): Promise<T> {
  return "isRawBuilder" in query ? query.execute(db as never, options) : query.execute(options);
}
