import { type Context, run } from "@throughline/context";
import { query, transaction, withContext } from "@throughline/drivers/pg";
import pg from "pg";

import { postgresPrograms, startPostgres } from "../support/postgres.ts";
import { type DriverHost, POOL_SIZE, type RunningHost } from "./host.ts";

const missing = postgresPrograms() === undefined ? "PostgreSQL is not installed" : undefined;

type Query = (ctx: Context, pool: pg.Pool, text: string, values?: unknown[]) => Promise<unknown>;

interface Kind {
  readonly name: string;
  readonly query: Query;
  transact(
    ctx: Context,
    pool: pg.Pool,
    work: (query: (text: string) => Promise<unknown>) => Promise<unknown>,
  ): Promise<unknown>;
}

const kinds: readonly Kind[] = [
  {
    name: "pg: query(ctx, pool)",
    query: (ctx, pool, text, values) => query(ctx, pool, text, values),
    transact: (ctx, pool, work) => transaction(ctx, pool, (client) => work((text) => client.query(text))),
  },
  {
    name: "pg: withContext(pool)",
    query: (ctx, pool, text, values) => run(ctx, () => withContext(pool).query(text, values)),
    transact: (ctx, pool, work) =>
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
  },
];

async function start({ query, transact }: Kind): Promise<RunningHost> {
  const server = await startPostgres();
  const pool = new pg.Pool({ connectionString: server.url, max: POOL_SIZE, application_name: "pool" });
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query("create table account (n int); insert into account values (0)");
  const count = async (where: string): Promise<number> => {
    const { rows } = await admin.query<{ n: number }>(
      `select count(*)::int n from pg_stat_activity where application_name = 'pool' and ${where}`,
    );
    return rows[0]!.n;
  };
  return {
    slow: (ctx, ms) => query(ctx, pool, "select pg_sleep($1)", [ms / 1000]),
    fail: (ctx) => query(ctx, pool, "select no_such_column"),
    async innocent(ms) {
      await pool.query("select pg_sleep($1)", [ms / 1000]);
    },
    running: () => count("state = 'active'"),
    connections: () => count("true"),
    waiting: () => pool.waitingCount,
    transactions: {
      add: (ctx, meanwhile) =>
        transact(ctx, pool, async (statement) => {
          await statement("update account set n = n + 1");
          return meanwhile((ms) => statement(`select pg_sleep(${ms / 1000})`));
        }),
      async number() {
        const { rows } = await admin.query<{ n: number }>("select n from account");
        return rows[0]!.n;
      },
      async touch() {
        await admin.query("set lock_timeout = '500ms'; update account set n = n");
      },
      forget: (ctx) =>
        run(ctx, async () => {
          const client = await withContext(pool).connect();
          await client.query("BEGIN");
          await client.query("update account set n = n + 100");
          client.release();
        }),
    },
    async stop() {
      await pool.end();
      await admin.end();
      await server.stop();
    },
  };
}

export const pgHosts: readonly DriverHost[] = kinds.map((kind) => ({
  name: kind.name,
  missing,
  start: () => start(kind),
}));
