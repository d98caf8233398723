import { DatabaseSync } from "node:sqlite";

import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { type Context, run } from "@throughline/context";
import { query } from "@throughline/drivers/pg";
import { sleep } from "@throughline/resilience";
import pg from "pg";

import { PRODUCTS } from "./products.ts";

/** How many pieces of each product are in stock. */
export interface Stock {
  /** @param ms how long the database works for it */
  of(ctx: Context, ids: readonly string[], ms: number): Promise<Record<string, number>>;
  close(): Promise<void>;
}

interface Row {
  readonly id: string;
  readonly pieces: number;
}

/** The stock in PostgreSQL; in memory if no URL is given. */
export async function openStock(url: string | undefined): Promise<Stock> {
  const rows = PRODUCTS.map(({ id }, index): Row => ({ id, pieces: index + 3 }));
  return url === undefined ? stockInMemory(rows) : stockInPostgres(url, rows);
}

async function stockInPostgres(url: string, rows: readonly Row[]): Promise<Stock> {
  const pool = new pg.Pool({ connectionString: url });
  await pool.query("create table if not exists stock (id text primary key, pieces int)");
  for (const { id, pieces } of rows) {
    await pool.query("insert into stock values ($1, $2) on conflict do nothing", [id, pieces]);
  }
  const tracer = trace.getTracer("storefront");
  return {
    async of(ctx, ids, ms) {
      const span = tracer.startSpan(
        "SELECT stock",
        {
          kind: SpanKind.CLIENT,
          attributes: { "db.system.name": "postgresql", "db.operation.name": "SELECT", "db.collection.name": "stock" },
        },
        ctx,
      );
      const within = trace.setSpan(ctx, span) as Context;
      try {
        const text = "select id, pieces from stock, pg_sleep($2) where id = any($1)";
        const result = await run(within, () => query<Row>(within, pool, text, [ids, ms / 1000]));
        return Object.fromEntries(result.rows.map(({ id, pieces }) => [id, pieces]));
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
        throw error;
      } finally {
        span.end();
      }
    },
    close: () => pool.end(),
  };
}

function stockInMemory(rows: readonly Row[]): Stock {
  const database = new DatabaseSync(":memory:");
  database.exec("create table stock (id text primary key, pieces int)");
  const insert = database.prepare("insert into stock values (?, ?)");
  for (const { id, pieces } of rows) insert.run(id, pieces);
  const select = database.prepare("select pieces from stock where id = ?");
  return {
    async of(ctx, ids, ms) {
      // SQLite answers at once, in this thread.
      await sleep(ctx, ms);
      return Object.fromEntries(ids.map((id) => [id, Number(select.get(id)?.["pieces"] ?? 0)]));
    },
    async close() {
      database.close();
    },
  };
}
