import { background, withCancel, withTimeout } from "@throughline/context";
import { query, transaction } from "@throughline/drivers/knex";
import knexOf, { type Knex } from "knex";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type DatabaseServer, postgresPrograms, startPostgres } from "../support/postgres.ts";

describe.runIf(postgresPrograms() !== undefined)("knex: query(ctx, knex, builder)", () => {
  let server: DatabaseServer;
  let knex: Knex;
  const [ctx, cancel] = withCancel(background);
  beforeAll(async () => {
    server = await startPostgres();
    knex = knexOf({ client: "pg", connection: server.url, pool: { min: 0, max: 2 } });
  });
  afterAll(async () => {
    cancel();
    await knex.destroy();
    await server.stop();
  });

  it("runs schema builders, query builders and raw queries, with the types of knex", async () => {
    await query(
      ctx,
      knex,
      knex.schema.createTable("item", (table) => void table.integer("n")),
    );
    await query(ctx, knex, knex("item").insert([{ n: 1 }, { n: 2 }]));
    const rows: { n: number }[] = await query(ctx, knex, knex<{ n: number }>("item").select("n").where("n", ">", 1));
    expect(rows).toEqual([{ n: 2 }]);
    expect((await query(ctx, knex, knex.raw("select 3 as n"))).rows).toEqual([{ n: 3 }]);
  });

  it("leaves the builder usable", async () => {
    const builder = knex("item").count();
    const results = await Promise.all([query(ctx, knex, builder), query(ctx, knex, builder), builder]);
    expect(results).toEqual([[{ count: "2" }], [{ count: "2" }], [{ count: "2" }]]);
  });

  it("runs savepoints in a transaction, and streams", async () => {
    const seen: unknown[] = [];
    await transaction(
      ctx,
      knex,
      async (trx) => {
        await trx("item").insert({ n: 3 });
        const inner = trx.transaction(async (inner) => {
          await inner("item").insert({ n: 4 });
          throw new Error("no");
        });
        await inner.catch(() => {});
        for await (const row of trx("item").select("n").orderBy("n").stream()) seen.push(row);
      },
      { isolationLevel: "serializable" },
    );
    expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await knex("item").count()).toEqual([{ count: "3" }]);
  });

  it("rejects with the error that the work of a transaction has thrown, and rolls back", async () => {
    const error = new Error("no");
    const failed = transaction(ctx, knex, async (trx) => {
      await trx("item").del();
      throw error;
    });
    await expect(failed).rejects.toBe(error);
    expect(await knex("item").count()).toEqual([{ count: "3" }]);
  });

  it("closes the connection of a statement that ignores its cancel, after the grace", async () => {
    await knex.raw(`create function stubborn() returns void language plpgsql as $$
      begin
        loop begin perform pg_sleep(1); exception when query_canceled then null; end; end loop;
      end $$`);
    const [short] = withTimeout(background, 50);
    const error = await query(short, knex, knex.raw("select stubborn()"), { grace: 100 }).catch((e: unknown) => e);
    expect(error).toBe(short.err());
    await new Promise((resolve) => setTimeout(resolve, 200));
    await Promise.all(Array.from({ length: 6 }, () => query(ctx, knex, knex.raw("select pg_sleep(0.01)"))));
    await knex.raw("select pg_terminate_backend(pid) from pg_stat_activity where query like 'select stubborn%'");
  });

  it("refuses a client that cannot cancel queries, and what is not knex", async () => {
    const lite = { client: { ...clientMethods, canCancelQuery: false, config: { client: "better-sqlite3" } } };
    await expect(query(ctx, { ...lite, transaction: () => undefined }, knex.raw("select 1"))).rejects.toThrow(
      'Cannot query: the client of \'knex\' must be able to cancel queries, such as "pg" and "mysql2"; ' +
        'received string "better-sqlite3"',
    );
    await expect(query(ctx, {} as Knex, knex.raw("select 1"))).rejects.toThrow("Cannot query: 'knex.client' must have");
  });
});

const clientMethods = {
  acquireConnection: () => undefined,
  releaseConnection: () => undefined,
  cancelQuery: () => undefined,
};
