// An Express service on a real PostgreSQL, with deadlines that cut many of its queries and clients that leave: SECONDS
// (60) of it. It fails if any request fails for the end of another's context, if the rows are not as many as the
// commits, or if anything is left at the server.
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { type Context, current } from "@throughline/context";
import { query, transaction, withContext } from "@throughline/drivers/pg";
import { errorHandler, requestContext } from "@throughline/express";
import express from "express";
import pg from "pg";

import { postgresPrograms, startPostgres } from "../support/postgres.ts";

const SECONDS = Number(process.env["SECONDS"] ?? 60);
const CLIENTS = 24;

if (postgresPrograms() === undefined) {
  console.log("SKIPPED: PostgreSQL is not installed");
  process.exit(0);
}
const server = await startPostgres();
const raw = new pg.Pool({ connectionString: server.url, max: 10, application_name: "soak" });
raw.on("error", () => {});
const pool = withContext(raw);
await raw.query(
  "create table account (id int primary key, n int); insert into account select g, 0 from generate_series(1, 20) g",
);

let commits = 0;
/** Errors of requests whose own context had not ended, by their codes. */
const foreign = new Map<string, number>();

function record(error: unknown, ctx: Context): never {
  if (ctx.err() === undefined) {
    const { code, message } = error as { code?: string; message: string };
    foreign.set(code ?? message, (foreign.get(code ?? message) ?? 0) + 1);
  }
  throw error;
}

const app = express();
app.use(requestContext({ maxTimeout: "60ms" }));
app.get("/query", async (_req, res) => {
  const ctx = current();
  await query(ctx, raw, "select pg_sleep($1)", [Math.random() * 0.09]).catch((error: unknown) => record(error, ctx));
  res.json("done");
});
app.get("/transaction", async (_req, res) => {
  const ctx = current();
  await transaction(ctx, raw, async (client) => {
    await client.query("update account set n = n + 1 where id = $1", [1 + Math.floor(Math.random() * 20)]);
    await client.query("select pg_sleep($1)", [Math.random() * 0.05]);
  }).catch((error: unknown) => record(error, ctx));
  commits += 1;
  res.json("done");
});
app.get("/ambient", async (_req, res) => {
  const ctx = current();
  try {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await client.query("update account set n = n + 1 where id = $1", [1 + Math.floor(Math.random() * 20)]);
      await client.query("select pg_sleep($1)", [Math.random() * 0.05]);
      await client.query("COMMIT");
      commits += 1;
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  } catch (error) {
    record(error, ctx);
  }
  res.json("done");
});
app.use(errorHandler());

const web = http.createServer(app).listen(0, "127.0.0.1");
await once(web, "listening");
const { port } = web.address() as AddressInfo;
const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });

function get(path: string, leaveAfter: number | undefined): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get({ port, path, agent }, (response) => {
      response.resume();
      response.once("end", () => resolve(String(response.statusCode)));
      response.once("error", () => resolve("left"));
    });
    request.once("error", () => resolve("left"));
    if (leaveAfter !== undefined) setTimeout(() => request.destroy(), leaveAfter);
  });
}

const until = performance.now() + SECONDS * 1000;
const statuses = new Map<string, number>();
const paths = ["/query", "/transaction", "/ambient"];
await Promise.all(
  Array.from({ length: CLIENTS }, async () => {
    while (performance.now() < until) {
      const path = paths[Math.floor(Math.random() * paths.length)]!;
      const status = await get(path, Math.random() < 0.2 ? Math.random() * 60 : undefined);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }),
);
await delay(1500);

const admin = new pg.Client({ connectionString: server.url });
await admin.connect();
const [sum, left] = await Promise.all([
  admin.query<{ n: number }>("select sum(n)::int n from account"),
  admin.query<{ n: number }>(
    "select count(*)::int n from pg_stat_activity where application_name = 'soak' and state <> 'idle'",
  ),
]);
const rows = sum.rows[0]!.n;
const busy = left.rows[0]!.n;
console.log(`${SECONDS} s, answers ${JSON.stringify(Object.fromEntries(statuses))}`);
console.log(`errors outside of their own context: ${JSON.stringify(Object.fromEntries(foreign))}`);
console.log(
  `rows ${rows}, commits that the service has seen ${commits}; busy at the server ${busy}; pool ${raw.totalCount}, waiting ${raw.waitingCount}`,
);
await admin.end();
agent.destroy();
web.closeAllConnections();
web.close();
await raw.end();
await server.stop();
process.exitCode = foreign.size === 0 && rows === commits && busy === 0 && raw.waitingCount === 0 ? 0 : 1;
