import { type Context, run } from "@throughline/context";
import { query, transaction, withContext } from "@throughline/drivers/pg";
import { DrizzleQueryError, sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { Kysely, PostgresDialect, sql as kyselySql } from "kysely";
import pg from "pg";

import { postgresHost, type PostgresLibrary } from "./postgres-host.ts";

/** Runs a statement of the library under a context. */
type Query = (ctx: Context, text: string, values?: unknown[]) => Promise<unknown>;

type Transact = (
  ctx: Context,
  work: (query: (text: string) => Promise<unknown>) => Promise<unknown>,
) => Promise<unknown>;

const kinds: Record<string, (pool: pg.Pool) => { readonly query: Query; readonly transact: Transact }> = {
  "pg: query(ctx, pool)": (pool) => ({
    query: (ctx, text, values) => query(ctx, pool, text, values),
    transact: (ctx, work) => transaction(ctx, pool, (client) => work((text) => client.query(text))),
  }),
  "pg: withContext(pool)": (pool) => ({
    query: (ctx, text, values) => run(ctx, () => withContext(pool).query(text, values)),
    transact: (ctx, work) =>
      run(ctx, async () => {
        const client = await withContext(pool).connect();
        try {
          await client.query("BEGIN");
          const result = await work((text) => client.query(text));
          await client.query("COMMIT");
          return result;
        } catch (error) {
          await client.query("ROLLBACK");
          throw error;
        } finally {
          client.release();
        }
      }),
  }),
  "drizzle-orm: withContext(pool)": (pool) => {
    const db = drizzle(withContext(pool));
    return {
      query: (ctx, text, values) => run(ctx, () => db.execute(statement(drizzleSql, text, values)).catch(causeOf)),
      transact: (ctx, work) =>
        run(ctx, () => db.transaction((tx) => work((text) => tx.execute(drizzleSql.raw(text)))).catch(causeOf)),
    };
  },
  "kysely: withContext(pool)": (pool) => {
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: withContext(pool) }) });
    return {
      query: (ctx, text, values) => run(ctx, () => statement(kyselySql, text, values).execute(db)),
      transact: (ctx, work) =>
        run(ctx, () => db.transaction().execute((trx) => work((text) => kyselySql.raw(text).execute(trx)))),
    };
  },
};

/** Calls a tagged template function with the text between the parameters. */
function statement<T>(
  tag: (strings: TemplateStringsArray, ...values: unknown[]) => T,
  text: string,
  values: readonly unknown[] = [],
): T {
  return tag(text.split(/\$\d/) as unknown as TemplateStringsArray, ...values);
}

/** Drizzle wraps the error of a statement, and has it as the cause. */
function causeOf(error: unknown): never {
  throw error instanceof DrizzleQueryError ? error.cause : error;
}

export const pgHosts = Object.entries(kinds).map(([name, open]) =>
  postgresHost(name, (url, max): PostgresLibrary => {
    const pool = new pg.Pool({ connectionString: url, max, application_name: "pool" });
    return {
      ...open(pool),
      plain: (text, values) => pool.query(text, values),
      waiting: () => pool.waitingCount,
      forget: (ctx, ...statements) =>
        run(ctx, async () => {
          const client = await withContext(pool).connect();
          for (const text of statements) await client.query(text);
          client.release();
        }),
      end: () => pool.end(),
    };
  }),
);
