import { type Context, run } from "@throughline/context";
import { query, transaction, withContext } from "@throughline/drivers/postgres";
import postgres from "postgres";

import { postgresHost, type PostgresLibrary } from "./postgres-host.ts";

type Kind = (sql: postgres.Sql) => Pick<PostgresLibrary, "query" | "transact">;

const kinds: Record<string, Kind> = {
  "postgres: query(ctx, sql)": (sql) => ({
    query: (ctx, text, values) => query(ctx, sql, (sql) => statement(sql, text, values)),
    transact: (ctx, work) => transaction(ctx, sql, (sql) => work((text) => statement(sql, text))),
  }),
  "postgres: withContext(sql)": (sql) => {
    const wrapped = withContext(sql);
    return {
      query: (ctx, text, values) => run(ctx, async () => statement(wrapped, text, values)),
      transact: (ctx, work) => run(ctx, () => wrapped.begin((sql) => work((text) => statement(sql, text)))),
    };
  },
};

/** Calls the tagged template function with the text between the parameters. */
function statement(sql: postgres.ISql, text: string, values: readonly unknown[] = []): postgres.PendingQuery<[]> {
  const parts = text.split(/\$\d/);
  return sql(Object.assign(parts, { raw: parts }), ...(values as string[]));
}

async function forget(ctx: Context, sql: postgres.Sql, statements: readonly string[]): Promise<void> {
  await run(ctx, async () => {
    const reserved = await sql.reserve();
    for (const text of statements) await reserved.unsafe(text);
    reserved.release();
  });
}

export const postgresHosts = Object.entries(kinds).map(([name, open]) =>
  postgresHost(name, (url, max) => {
    const sql = postgres(url, { max, connection: { application_name: "pool" } });
    const wrapped = withContext(sql);
    return {
      ...open(sql),
      plain: async (text, values) => statement(sql, text, values),
      forget: (ctx, ...statements) => forget(ctx, wrapped, statements),
      end: () => wrapped.end(),
    };
  }),
);
