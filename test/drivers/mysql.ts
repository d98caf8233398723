import { type Context, run } from "@throughline/context";
import * as ofMariadb from "@throughline/drivers/mariadb";
import * as ofMysql2 from "@throughline/drivers/mysql2";
import mariadb from "mariadb";
import mysql, { type RowDataPacket } from "mysql2/promise";

import { hasMariadb, startMariadb } from "../support/mariadb.ts";
import type { DatabaseServer } from "../support/postgres.ts";
import { type DriverHost, POOL_SIZE, type RunningHost } from "./host.ts";

const missing = hasMariadb() ? undefined : "MariaDB is not installed";

/** What the tests need of a client library. */
interface Library {
  query(ctx: Context, sql: string): Promise<unknown>;
  plain(sql: string): Promise<unknown>;
  transact(ctx: Context, work: (query: (sql: string) => Promise<unknown>) => Promise<unknown>): Promise<unknown>;
  forget(ctx: Context, ...statements: string[]): Promise<void>;
  waiting?(): number;
  end(): Promise<unknown>;
}

type Open = (server: DatabaseServer) => Library;

const options = ({
  port,
}: DatabaseServer): { host: string; port: number; user: string; database: string; connectionLimit: number } => ({
  host: "127.0.0.1",
  port,
  user: "root",
  database: "test",
  connectionLimit: POOL_SIZE,
});

const libraries: Record<string, Open> = {
  "mysql2: query(ctx, pool)": (server) => {
    const pool = mysql.createPool(options(server));
    const wrapped = ofMysql2.withContext(pool);
    return {
      query: (ctx, sql) => ofMysql2.query(ctx, pool, sql),
      plain: (sql) => pool.query(sql),
      transact: (ctx, work) => ofMysql2.transaction(ctx, pool, (connection) => work((sql) => connection.query(sql))),
      forget: (ctx, ...statements) => run(ctx, () => forget(wrapped, statements)),
      end: () => wrapped.end(),
    };
  },
  "mysql2: withContext(pool)": (server) => {
    const pool = mysql.createPool(options(server));
    const wrapped = ofMysql2.withContext(pool);
    return {
      query: (ctx, sql) => run(ctx, () => wrapped.query(sql)),
      plain: (sql) => pool.query(sql),
      transact: (ctx, work) =>
        run(ctx, async () => {
          const connection = await wrapped.getConnection();
          try {
            await connection.beginTransaction();
            const result = await work((sql) => connection.query(sql));
            await connection.commit();
            return result;
          } catch (error) {
            await connection.rollback();
            throw error;
          } finally {
            connection.release();
          }
        }),
      forget: (ctx, ...statements) => run(ctx, () => forget(wrapped, statements)),
      end: () => wrapped.end(),
    };
  },
  "mariadb: withContext(pool)": (server) => {
    const pool = mariadb.createPool(options(server));
    const wrapped = ofMariadb.withContext(pool, { config: options(server) });
    return {
      query: (ctx, sql) => run(ctx, () => wrapped.query(sql)),
      plain: (sql) => pool.query(sql),
      transact: (ctx, work) =>
        ofMariadb.transaction(ctx, wrapped, (connection) => work((sql) => connection.query(sql))),
      forget: (ctx, ...statements) => run(ctx, () => forget(wrapped, statements)),
      waiting: () => pool.taskQueueSize(),
      end: () => wrapped.end(),
    };
  },
};

interface AnyPool {
  getConnection(): Promise<{ query(sql: string): Promise<unknown>; release(): unknown }>;
}

async function forget(pool: AnyPool, statements: readonly string[]): Promise<void> {
  const connection = await pool.getConnection();
  for (const sql of statements) await connection.query(sql);
  connection.release();
}

async function start(open: Open): Promise<RunningHost> {
  const server = await startMariadb();
  const admin = await mysql.createConnection(server.url);
  await admin.query("create table account (n int) engine=innodb");
  await admin.query("insert into account values (0)");
  const library = open(server);
  const number = async (sql: string): Promise<number> => {
    const [rows] = await admin.query<RowDataPacket[]>(sql);
    return Number(Object.values(rows[0]!)[0]);
  };
  const sleep = (ms: number): string => `select sleep(${ms / 1000}) as killed`;
  return {
    slow: (ctx, ms) => library.query(ctx, sleep(ms)),
    fail: (ctx) => library.query(ctx, "select no_such_column"),
    async innocent(ms) {
      const result = (await library.plain(sleep(ms))) as { killed: unknown }[] | [{ killed: unknown }[]];
      const [row] = (Array.isArray(result[0]) ? result[0] : result) as { killed: unknown }[];
      // SLEEP gives 1 when it was interrupted.
      if (Number(row!.killed) !== 0) throw new Error("a cancel has hit an innocent statement");
    },
    running: () =>
      number(
        "select count(*) from information_schema.processlist where info like 'select sleep(1%' and info like '%killed'",
      ),
    // The connection for KILL QUERY is not one of the pool.
    connections: async () =>
      (await number("select count(*) from information_schema.processlist where user = 'root'")) - 2,
    ...(library.waiting === undefined ? undefined : { waiting: library.waiting }),
    transactions: {
      add: (ctx, meanwhile) =>
        library.transact(ctx, async (query) => {
          await query("update account set n = n + 1");
          return meanwhile((ms) => query(sleep(ms)));
        }),
      number: () => number("select n from account"),
      async touch() {
        await admin.query("set innodb_lock_wait_timeout = 1");
        await admin.query("update account set n = n");
      },
      forget: (ctx) => library.forget(ctx, "start transaction", "update account set n = n + 100"),
    },
    async stop() {
      await library.end();
      await admin.end();
      await server.stop();
    },
  };
}

export const mysqlHosts: readonly DriverHost[] = Object.entries(libraries).map(([name, open]) => ({
  name,
  missing,
  start: () => start(open),
}));
