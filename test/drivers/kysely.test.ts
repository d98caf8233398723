import { background, withCancel, withTimeout } from "@throughline/context";
import { execute } from "@throughline/drivers/kysely";
import { callsOf } from "@throughline/http";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { type DatabaseServer, postgresPrograms, startPostgres } from "../support/postgres.ts";

interface Tables {
  item: { n: number };
}

describe.runIf(postgresPrograms() !== undefined)("kysely: execute(ctx, db, query)", () => {
  let server: DatabaseServer;
  let db: Kysely<Tables>;
  beforeAll(async () => {
    server = await startPostgres();
    const pool = new pg.Pool({ connectionString: server.url, max: 2 });
    db = new Kysely({ dialect: new PostgresDialect({ pool, controlClient: pg.Client }) });
    await sql`create table item (n int)`.execute(db);
  });
  afterAll(async () => {
    await db.destroy();
    await server.stop();
  });

  it("gives the result of a query that ends in time, and of one under a context that cannot end", async () => {
    const [ctx, cancel] = withTimeout(background, "10s");
    await execute(ctx, db, db.insertInto("item").values({ n: 1 }));
    const rows: { n: number }[] = await execute(ctx, db, db.selectFrom("item").selectAll());
    expect(rows).toEqual([{ n: 1 }]);
    expect(await execute(background, db, sql<{ n: number }>`select 2 as n`)).toMatchObject({ rows: [{ n: 2 }] });
    cancel();
  });

  it("stops a query at the server when the deadline passes, and rejects at once with ctx.err()", async () => {
    const [ctx] = withTimeout(background, 100);
    const from = performance.now();
    const error = await execute(ctx, db, sql`select pg_sleep(10)`).catch((error: unknown) => error);

    expect(error).toBe(ctx.err());
    expect(performance.now() - from).toBeLessThan(1000);
    expect(callsOf(error)).toMatchObject([{ phase: "query" }]);
    await vi.waitFor(async () => {
      const running = sql`select from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'`;
      expect((await running.execute(db)).rows).toEqual([]);
    });
  });

  it("sends nothing for a context that has ended", async () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    await expect(execute(ctx, db, db.deleteFrom("item"))).rejects.toBe(ctx.err());
    expect(await db.selectFrom("item").selectAll().execute()).toEqual([{ n: 1 }]);
  });
});
