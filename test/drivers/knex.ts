import { query, transaction } from "@throughline/drivers/knex";
import knexOf from "knex";

import { postgresHost, type PostgresLibrary } from "./postgres-host.ts";

export const knexHosts = [
  postgresHost("knex (pg): query(ctx, knex, builder)", (url, max): PostgresLibrary => {
    const knex = knexOf({
      client: "pg",
      connection: { connectionString: url, application_name: "pool" },
      pool: { min: 0, max },
    });
    const raw = (text: string, values: readonly unknown[] = []): ReturnType<typeof knex.raw> =>
      knex.raw(text.replaceAll(/\$\d/g, "?"), values as string[]);
    return {
      query: (ctx, text, values) => query(ctx, knex, raw(text, values)),
      plain: async (text, values) => raw(text, values),
      transact: (ctx, work) => transaction(ctx, knex, (trx) => work(async (text) => trx.raw(text))),
      waiting: () => (knex.client as { pool: { numPendingAcquires(): number } }).pool.numPendingAcquires(),
      end: () => knex.destroy(),
    };
  }),
];
