import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { background, run, withCancel, withTimeout } from "@throughline/context";
import { query, transaction, withContext } from "@throughline/drivers/postgres";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { type DatabaseServer, postgresPrograms, startPostgres } from "../support/postgres.ts";

const errorOf = (promise: PromiseLike<unknown>): PromiseLike<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function backendOf(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<[{ pid: number }]>`select pg_sleep(0.2), pg_backend_pid() as pid`;
  return row.pid;
}

describe.runIf(postgresPrograms() !== undefined)("postgres: withContext(sql)", () => {
  let server: DatabaseServer;
  let admin: postgres.Sql;
  let plain: postgres.Sql;
  let sql: postgres.Sql;
  const [ctx, cancel] = withCancel(background);
  beforeAll(async () => {
    server = await startPostgres();
    plain = postgres(server.url, { max: 2, onnotice: () => {}, connection: { application_name: "pool" } });
    sql = withContext(plain, { grace: 200 });
    admin = postgres(server.url, { max: 1, onnotice: () => {} });
    await admin`create table item (n int)`;
  });
  afterAll(async () => {
    cancel();
    await Promise.all([sql.end(), admin.end()]);
    await server.stop();
  });
  const inside = <T>(work: () => Promise<T>): Promise<T> => run(ctx, work);

  it("runs queries with fragments, identifiers, helpers and parameters", async () => {
    const rows = await inside(async () => {
      await sql`insert into item ${sql([{ n: 1 }, { n: 2 }])}`;
      return sql`select ${sql("n")} from item where ${sql`n > ${1}`} and n in ${sql([1, 2])}`;
    });
    expect([...rows]).toEqual([{ n: 2 }]);
    expect(rows.command).toBe("SELECT");
  });

  it("runs queries with modifiers, texts, and files", async () => {
    const folder = mkdtempSync(join(tmpdir(), "throughline-sql-"));
    const file = join(folder, "query.sql");
    writeFileSync(file, "select $1::int as n");
    await inside(async () => {
      expect([...(await sql`select 1 as n`.values())]).toEqual([[1]]);
      expect((await sql`select 1 as n`.describe()).columns).toHaveLength(1);
      expect([...(await sql.unsafe("select $1::int as n", [3]))]).toEqual([{ n: 3 }]);
      expect([...(await sql.file(file, [4]))]).toEqual([{ n: 4 }]);
      const seen: unknown[] = [];
      await sql`select generate_series(1, 2) as n`.forEach((row) => seen.push(row["n"]));
      expect(seen).toEqual([1, 2]);
    });
    rmSync(folder, { recursive: true });
  });

  it("iterates over a cursor to its end, or to a break", async () => {
    await inside(async () => {
      const seen: unknown[] = [];
      for await (const rows of sql`select generate_series(1, 5) as n`.cursor(2)) seen.push(rows.length);
      expect(seen).toEqual([2, 2, 1]);
      for await (const rows of sql`select generate_series(1, 5) as n`.cursor(2)) {
        expect(rows).toHaveLength(2);
        break;
      }
      expect([...(await sql`select 1 as n`)]).toEqual([{ n: 1 }]);
    });
  });

  it("closes the connection of a cursor that is open when its context ends", async () => {
    const [short, cut] = withCancel(background);
    const error = await errorOf(
      run(short, async () => {
        for await (const _rows of sql`select generate_series(1, 5) as n`.cursor(2)) cut();
      }),
    );
    expect(error).toBe(short.err());
    await inside(async () => {
      for (let round = 0; round < 4; round++) await Promise.all([sql`select 1`, sql`select 1`, sql`select 1`]);
    });
  });

  it("rejects a query that cannot be built, and returns its connection", async () => {
    await inside(async () => {
      for (let round = 0; round < 3; round++) {
        const error = await errorOf(sql`select ${undefined as never}`);
        expect(error).toMatchObject({ code: "UNDEFINED_VALUE" });
      }
      expect([...(await sql`select ${1}::int as n`)]).toEqual([{ n: 1 }]);
    });
  });

  it("sends nothing for a query that is not awaited, or under a context that has ended", async () => {
    const [ended, end] = withCancel(background);
    end();
    await run(ended, async () => {
      expect(await errorOf(sql`select 1`)).toBe(ended.err());
      expect(await errorOf(sql`copy item to stdout`.readable())).toBe(ended.err());
      expect(await errorOf(sql.begin((tx) => tx`select 1`))).toBe(ended.err());
    });
  });

  it("closes a connection that a BEGIN was sent on outside of sql.begin", async () => {
    await inside(async () => {
      await sql`begin`;
      await sql.unsafe("begin; select 1");
      const rows = await admin`select from pg_stat_activity where state like 'idle in transaction%'`;
      expect(rows).toHaveLength(0);
    });
  });

  it("rolls back to a savepoint, and fails a transaction whose query has failed", async () => {
    await admin`delete from item`;
    await inside(async () => {
      const result = await sql.begin("isolation level serializable", async (tx) => {
        await tx`insert into item values (1)`;
        await errorOf(
          tx.savepoint("inner", async (inner) => {
            await inner`insert into item values (2)`;
            throw new Error("no");
          }),
        );
        return [tx`select n from item`, tx`show transaction_isolation`];
      });
      expect(result.map((rows) => [...rows])).toEqual([[{ n: 1 }], [{ transaction_isolation: "serializable" }]]);
      const error = await errorOf(
        sql.begin(async (tx) => {
          await tx`insert into item values (3)`;
          await errorOf(tx`select no_such_column`);
        }),
      );
      expect(error).toMatchObject({ code: "42703" });
    });
    expect([...(await admin`select n from item`)]).toEqual([{ n: 1 }]);
  });

  it("does not cancel the statement before one whose own context ends", async () => {
    await inside(() =>
      sql.begin(async (tx) => {
        const first = tx`select pg_sleep(0.2), 1 as n`.then(([row]) => row!["n"] as number);
        const [short] = withTimeout(ctx, 50);
        const error = await errorOf(run(short, async () => tx.savepoint((inner) => inner`select pg_sleep(10)`)));
        expect(error).toBe(short.err());
        expect(await first).toBe(1);
      }),
    );
  });

  it("sets the isolation and the lock timeout of a transaction", async () => {
    const rows = await transaction(
      ctx,
      plain,
      (tx) => tx`select current_setting('lock_timeout') as lock, current_setting('transaction_isolation') as isolation`,
      { lockTimeout: "2s", isolation: "repeatable read" },
    );
    expect([...rows]).toEqual([{ lock: "2s", isolation: "repeatable read" }]);
  });

  it("goes on after the server has closed a connection that was in use", async () => {
    const slow = inside(() => errorOf(sql`select pg_sleep(10)`) as Promise<unknown>);
    const pid = await vi.waitUntil(async () => {
      const [row] = await admin`select pid from pg_stat_activity where query = 'select pg_sleep(10)'`;
      return row?.["pid"] as number | undefined;
    });
    const held = inside(
      () =>
        errorOf(
          sql.begin(async (tx) => {
            await tx`select pg_terminate_backend(pg_backend_pid())`;
          }),
        ) as Promise<unknown>,
    );
    expect(await held).toMatchObject({ code: "CONNECTION_CLOSED" });
    await admin`select pg_terminate_backend(${pid})`;
    expect(await slow).toBeInstanceOf(Error);
    await inside(async () => {
      for (let round = 0; round < 4; round++) await Promise.all([sql`select 1`, sql`select 1`, sql`select 1`]);
    });
  });

  it("closes the connection of a statement that ignores its cancel, after the grace", async () => {
    await admin.unsafe(`create or replace function stubborn() returns void language plpgsql as $$
      begin
        loop begin perform pg_sleep(1); exception when query_canceled then null; end; end loop;
      end $$`);
    const [short] = withTimeout(background, 50);
    expect(await errorOf(run(short, () => sql`select stubborn(), ${1}::int`))).toBe(short.err());
    await inside(async () => {
      for (let round = 0; round < 4; round++) await Promise.all([sql`select 1`, sql`select 1`, sql`select 1`]);
    });
    // Its place is free again when the server has closed it.
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where query like 'select stubborn%'`;
    const [first, second] = await inside(() => Promise.all([backendOf(sql), backendOf(sql)]));
    expect(first).not.toBe(second);
  });

  it("lets the pool end when its queries have ended, and refuse later ones", async () => {
    const pool = postgres(server.url, { max: 2 });
    const wrapped = withContext(pool);
    const running = inside(async () => [...(await wrapped`select pg_sleep(0.1), 1 as n`.values())]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await Promise.all([pool.end(), running]);
    expect(await errorOf(query(ctx, pool, (sql) => sql`select 1`))).toMatchObject({ code: "CONNECTION_ENDED" });
  });

  it("lets the pool end after its timeout, whatever runs", async () => {
    const pool = postgres(server.url, { max: 2 });
    const wrapped = withContext(pool);
    const running = errorOf(inside(async () => wrapped`select pg_sleep(5)`));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await wrapped.end({ timeout: 0.1 });
    expect(await running).toMatchObject({ code: "CONNECTION_DESTROYED" });
  });
});
