import type { Context } from "@throughline/context";
import pg from "pg";

import { postgresPrograms, startPostgres } from "../support/postgres.ts";
import { type DriverHost, POOL_SIZE, type RunningHost } from "./host.ts";

/** What the tests need of a client library, with a pool whose sessions have the application name `pool`. */
export interface PostgresLibrary {
  query(ctx: Context, text: string, values?: unknown[]): Promise<unknown>;
  /** Runs a statement without a context of ours, on a connection of the same pool. */
  plain(text: string, values?: unknown[]): Promise<unknown>;
  transact(ctx: Context, work: (query: (text: string) => Promise<unknown>) => Promise<unknown>): Promise<unknown>;
  /** Sends statements on one connection, and returns it to the pool. */
  forget?(ctx: Context, ...statements: string[]): Promise<unknown>;
  waiting?(): number;
  end(): Promise<unknown>;
}

type Open = (url: string, max: number) => PostgresLibrary;

async function start(open: Open): Promise<RunningHost> {
  const server = await startPostgres();
  const library = open(server.url, POOL_SIZE);
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query("create table account (n int); insert into account values (0)");
  const count = async (where: string): Promise<number> => {
    const { rows } = await admin.query<{ n: number }>(
      `select count(*)::int n from pg_stat_activity where application_name = 'pool' and ${where}`,
    );
    return rows[0]!.n;
  };
  const { waiting, forget } = library;
  return {
    slow: (ctx, ms) => library.query(ctx, "select pg_sleep($1)", [ms / 1000]),
    fail: (ctx) => library.query(ctx, "select no_such_column"),
    async innocent(ms) {
      await library.plain("select pg_sleep($1)", [ms / 1000]);
    },
    running: () => count("state = 'active'"),
    connections: () => count("true"),
    ...(waiting && { waiting }),
    transactions: {
      add: (ctx, meanwhile) =>
        library.transact(ctx, async (statement) => {
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
      ...(forget && { forget: (ctx) => forget(ctx, "BEGIN", "update account set n = n + 100") }),
    },
    async stop() {
      await library.end();
      await admin.end();
      await server.stop();
    },
  };
}

export function postgresHost(name: string, open: Open): DriverHost {
  const missing = postgresPrograms() === undefined ? "PostgreSQL is not installed" : undefined;
  return { name, missing, start: () => start(open) };
}
