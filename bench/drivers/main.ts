// What a context adds to a query: `pool.query` beside `query(ctx, pool)` and `withContext(pool)`, on a PostgreSQL of its own.
// ROUNDS (5) interleaved rounds of QUERIES (2000) sequential queries each; the median of the rounds.
import { background, type Context, run, withTimeout } from "@throughline/context";
import { query, withContext } from "@throughline/drivers/pg";
import { postgresPrograms, startPostgres } from "@throughline/test/support/postgres.ts";
import pg from "pg";

const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
const QUERIES = Number(process.env["QUERIES"] ?? 2000);
const WARM_UP = 3000;

type Query = (ctx: Context) => Promise<unknown>;

interface Variant {
  readonly name: string;
  /** At most so many times the time of `pool.query`; `undefined` for what has no budget. */
  readonly budget?: number;
  readonly query: Query;
  readonly microseconds: number[];
}

if (postgresPrograms() === undefined) {
  console.log("SKIPPED: PostgreSQL is not installed");
  process.exit(0);
}
const server = await startPostgres();
const pool = new pg.Pool({ connectionString: server.url, max: 2 });
const wrapped = withContext(pool);
const text = "select $1::int as n";

const variant = (name: string, send: Query, budget?: number): Variant => ({
  name,
  query: send,
  microseconds: [],
  ...(budget === undefined ? undefined : { budget }),
});
const variants: readonly Variant[] = [
  variant("pool.query", () => pool.query(text, [1])),
  variant("query(ctx, pool), a context with a deadline", (ctx) => query(ctx, pool, text, [1]), 1.1),
  variant("withContext(pool).query, a context with a deadline", (ctx) => run(ctx, () => wrapped.query(text, [1]))),
  variant("query(background, pool)", () => query(background, pool, text, [1]), 1),
  variant("withContext(pool).query, no context", () => wrapped.query(text, [1]), 1),
];

async function measure(send: Query, count: number): Promise<number> {
  const from = performance.now();
  for (let index = 0; index < count; index++) {
    // A context for each query, as each request has one.
    const [ctx, cancel] = withTimeout(background, "10s");
    await send(ctx);
    cancel();
  }
  return ((performance.now() - from) / count) * 1000;
}

for (const { query: send } of variants) await measure(send, WARM_UP);
for (let round = 0; round < ROUNDS; round++) {
  for (const each of variants) each.microseconds.push(await measure(each.query, QUERIES));
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const floor = median(variants[0]!.microseconds);
console.log(`pg, Node ${process.version}, ${QUERIES} queries a round, median of ${ROUNDS} interleaved rounds\n`);
console.log("| query | time | of pool.query |\n| --- | --: | --- |");
for (const { name, microseconds, budget } of variants) {
  const time = median(microseconds);
  const ratio = time / floor;
  // Two per cent is what the floor itself differs from round to round.
  const isKept = budget === undefined || ratio <= budget + 0.02;
  const verdict = budget === undefined ? "" : isKept ? `, kept (at most ${budget})` : `, MISSED (at most ${budget})`;
  console.log(`| ${name} | ${time.toFixed(1)} us | ${ratio.toFixed(2)}${verdict} |`);
}
await pool.end();
await server.stop();
