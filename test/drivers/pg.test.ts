import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { background, current, run, withCancel, withoutCancel, withTimeout } from "@throughline/context";
import { lease } from "@throughline/drivers";
import { query, transaction, withContext } from "@throughline/drivers/pg";
import { errorHandler, requestContext } from "@throughline/express";
import { callsOf } from "@throughline/http";
import express from "express";
import pg from "pg";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { hasPgbouncer, startPgbouncer } from "../support/pgbouncer.ts";
import { type DatabaseServer, postgresPrograms, startPostgres, userIds } from "../support/postgres.ts";
import { recordSpans } from "../support/spans.ts";

const hasPostgres = postgresPrograms() !== undefined;
if (!hasPostgres) console.warn("SKIPPED: pg: PostgreSQL is not installed");

const settled = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "done",
    (error: unknown) => error,
  );

describe.runIf(hasPostgres)("pg on a server of its own", () => {
  let server: DatabaseServer;
  let admin: pg.Client;
  const pools: pg.Pool[] = [];

  const poolOf = (config: pg.PoolConfig = {}): pg.Pool => {
    const pool = new pg.Pool({ connectionString: server.url, application_name: "pool", max: 2, ...config });
    pool.on("error", () => {});
    pools.push(pool);
    return pool;
  };
  const active = async (): Promise<number> => {
    const { rows } = await admin.query<{ n: number }>(
      "select count(*)::int n from pg_stat_activity where application_name = 'pool' and state <> 'idle'",
    );
    return rows[0]!.n;
  };
  const untilIdle = (): Promise<boolean> => vi.waitUntil(async () => (await active()) === 0, { timeout: 3000 });

  beforeAll(async () => {
    server = await startPostgres({ max_connections: 20, superuser_reserved_connections: 3 });
    admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query("create table written (n int); create table counter (n int); insert into counter values (0)");
  }, 60_000);
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end().catch(() => {})));
    await admin.end();
    await server.stop();
  });

  it("cancels where the server accepts no more connections", async () => {
    const url = server.url.replace("postgres@", "other@");
    const others = Array.from({ length: 20 }, () => new pg.Client({ connectionString: url }).on("error", () => {}));
    await admin.query("create role other login; grant all on schema public to other");
    const pool = poolOf({ max: 2 });
    await pool.query("select 1");
    const [ctx, cancel] = withCancel(background);
    const running = settled(query(ctx, pool, "select pg_sleep(10)"));
    await vi.waitUntil(async () => (await active()) === 1);
    const refused = (await Promise.all(others.map((each) => settled(each.connect())))).filter(
      (each) => each !== "done",
    );
    expect(refused.length).toBeGreaterThan(0);
    cancel();

    expect(await running).toBe(ctx.err());
    await untilIdle();
    await Promise.all(others.map((each) => settled(each.end())));
  });

  it("closes the connection of a server that does not answer, after the grace", async () => {
    const pool = poolOf({ max: 1 });
    const { rows } = await pool.query<{ pid: number }>("select pg_backend_pid() pid");
    process.kill(rows[0]!.pid, "SIGSTOP");
    const [ctx] = withTimeout(background, 50);
    const error = await settled(run(ctx, () => withContext(pool, { grace: 200 }).query("select 1")));
    expect(error).toBe(ctx.err());

    const [next, cancel] = withTimeout(background, "10s");
    const result = await query<{ pid: number }>(next, pool, "select pg_backend_pid() pid");
    expect(result.rows[0]!.pid).not.toBe(rows[0]!.pid);
    process.kill(rows[0]!.pid, "SIGCONT");
    cancel();
  });

  it("does not cancel a COMMIT that has been sent: its answer is the result", async () => {
    const pool = poolOf({ max: 1 });
    // The commit waits for the constraint, which is checked late and takes its time.
    await admin.query(`
      create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.3); return null; end $$;
      create table deferred (n int);
      create constraint trigger late after insert on deferred deferrable initially deferred for each row execute function slow()`);
    const [ctx] = withTimeout(background, 150);
    const result = await settled(transaction(ctx, pool, (client) => client.query("insert into deferred values (1)")));

    expect(result).toBe("done");
    expect(ctx.err()).toBeDefined();
    expect((await admin.query("select n from deferred")).rows).toEqual([{ n: 1 }]);
  });

  it("waits for a lock no longer than lockTimeout", async () => {
    const pool = poolOf();
    await admin.query("begin; update counter set n = n");
    const [ctx, cancel] = withTimeout(background, "10s");
    const error = await settled(
      transaction(ctx, pool, (client) => client.query("update counter set n = n + 1"), { lockTimeout: 50 }),
    );
    await admin.query("rollback");
    cancel();

    expect(error).toMatchObject({ code: "55P03" });
    // The setting has ended with its transaction.
    expect((await pool.query("show lock_timeout")).rows).toEqual([{ lock_timeout: "0" }]);
  });

  it.each([
    ["a cursor", (client: pg.PoolClient) => client.query(new Cursor("select pg_sleep(10)")).read(1)],
    ["a stream", (client: pg.PoolClient) => client.query(new QueryStream("select pg_sleep(10)")).toArray()],
  ])("closes the connection of %s whose context ends", async (_what, read) => {
    const pool = poolOf({ max: 1 });
    const [ctx, cancel] = withCancel(background);
    const failed = run(ctx, async () => {
      const client = await withContext(pool).connect();
      try {
        const reading = settled(read(client as unknown as pg.PoolClient) as Promise<unknown>);
        const end = new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        await Promise.race([reading, end]);
      } finally {
        client.release();
      }
    });
    await vi.waitUntil(async () => (await active()) === 1);
    cancel();
    await failed;

    await vi.waitUntil(() => pool.totalCount === 0);
    await untilIdle();
  });

  it("passes callbacks, and clients of a context that cannot end, through", async () => {
    const pool = withContext(poolOf());
    const [ctx, cancel] = withTimeout(background, "10s");
    const rows = await run(
      ctx,
      () =>
        new Promise((resolve, reject) =>
          pool.connect((error, client, release) => {
            if (error !== undefined) return reject(error);
            client!.query("select 1 as one", (failed: Error | null, result: pg.QueryResult) => {
              release();
              if (failed) reject(failed);
              else resolve(result.rows);
            });
          }),
        ),
    );
    cancel();

    expect(rows).toEqual([{ one: 1 }]);
    expect(pool).toBeInstanceOf(pg.Pool);
    const client = await pool.connect();
    expect((await client.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    client.release();
  });

  it("stops the work of a request whose client leaves, and whose deadline passes", async () => {
    const pool = withContext(poolOf());
    const app = express();
    app.use(requestContext({ maxTimeout: "200ms" }));
    app.get("/", async (_req, res) => void res.json((await pool.query("select pg_sleep(10)")).rows));
    app.use(errorHandler());
    const web = http.createServer(app).listen(0, "127.0.0.1");
    await once(web, "listening");
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;

    expect((await fetch(url)).status).toBe(504);
    await untilIdle();
    const controller = new AbortController();
    const left = settled(fetch(url, { signal: controller.signal }));
    await vi.waitUntil(async () => (await active()) === 1);
    controller.abort();
    await left;
    await untilIdle();
    web.closeAllConnections();
    web.close();
  });

  it("keeps a write that nobody awaits only under withoutCancel", async () => {
    const pool = withContext(poolOf());
    const [ctx, cancel] = withCancel(background);
    const [lost, kept] = run(ctx, () => [
      settled(pool.query("insert into written select 1 from pg_sleep(0.1)")),
      run(withoutCancel(current()), () => settled(pool.query("insert into written select 2 from pg_sleep(0.1)"))),
    ]);
    cancel();

    expect([await lost, await kept]).toEqual([ctx.err(), "done"]);
    expect((await admin.query("select n from written")).rows).toEqual([{ n: 2 }]);
  });

  it("refuses a pool whose statements are pipelined, where it is given", () => {
    const pool = poolOf({ pipeline: true } as pg.PoolConfig);
    expect(() => withContext(pool)).toThrow(/'pipeline' of the pool must be false; received true/);
    expect(() => query(background, {} as pg.Pool, "select 1")).toThrow(/'pool' must have the methods connect, query/);
  });

  it("reports where a statement was cut, with its address and without its text", async () => {
    const pool = poolOf({ max: 1 });
    await pool.query("select 1");
    const [ctx] = withTimeout(background, 100);
    const error = await settled(query(ctx, pool, "/* report */ select pg_sleep(10)"));

    const target = `postgresql://127.0.0.1:${server.port}/postgres`;
    expect(callsOf(error)).toMatchObject([{ method: "SELECT", url: target, phase: "query" }]);
    await untilIdle();
  });

  it("leases connections of a library that has no subpath", async () => {
    const pool = poolOf({ max: 1 });
    const canceled = vi.fn();
    const driver = {
      acquire: () => pool.connect(),
      release: (client: pg.PoolClient) => client.release(),
      destroy: (client: pg.PoolClient) => client.release(true),
      cancel: async (client: pg.PoolClient) => {
        canceled();
        await admin.query("select pg_cancel_backend($1)", [(client as unknown as { processID: number }).processID]);
      },
    };
    const [ctx] = withTimeout(background, 50);
    expect(await settled(lease(ctx, driver, (client) => client.query("select pg_sleep(10)")))).toBe(ctx.err());
    expect(canceled).toHaveBeenCalledOnce();
    await untilIdle();
    expect(await lease(background, driver, async (client) => (await client.query("select 3 as n")).rows)).toEqual([
      { n: 3 },
    ]);
  });

  it.skipIf(!hasPgbouncer())(
    "never cancels the statement of another behind pgbouncer in transaction mode",
    { timeout: 60_000 },
    async () => {
      const bouncer = await startPgbouncer(server, 1);
      const pool = new pg.Pool({ connectionString: bouncer.url, max: 1 });
      const stranger = new pg.Pool({ connectionString: bouncer.url, max: 1 });
      const hit: unknown[] = [];
      let cut = 0;
      for (let race = 0; race < Number(process.env["RACES"] ?? 100); race++) {
        const [ctx, cancel] = withCancel(background);
        setTimeout(cancel, 2 + Math.random() * 2.5);
        if ((await settled(query(ctx, pool, "select pg_sleep(0.003)"))) !== "done") cut += 1;
        await stranger.query("select pg_sleep(0.004)").catch((error: unknown) => hit.push(error));
      }
      await Promise.all([pool.end(), stranger.end()]);
      await bouncer.stop();

      expect(hit).toEqual([]);
      expect(cut).toBeGreaterThan(0);
    },
  );

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("adds an event to the span that is active, and makes no span of its own", async () => {
      const pool = poolOf({ max: 1 });
      const app = express();
      app.use(requestContext({ maxTimeout: "50ms" }));
      app.get("/", async () => void (await query(current(), pool, "select pg_sleep(10)")));
      app.use(errorHandler());
      const web = http.createServer(app).listen(0, "127.0.0.1");
      await once(web, "listening");
      await fetch(`http://127.0.0.1:${(web.address() as AddressInfo).port}`);
      const [span, ...others] = await spans.take(1);
      web.closeAllConnections();
      web.close();
      await untilIdle();

      expect(others).toEqual([]);
      expect(span!.events).toMatchObject([
        {
          name: "throughline.call.interrupted",
          attributes: { "throughline.call.phase": "query", "db.operation.name": "SELECT" },
        },
      ]);
    });
  });
});

describe.runIf(hasPostgres && existsSync("/usr/bin/openssl"))("pg on a server with TLS only", () => {
  it("cancels over TLS", async () => {
    const server = await startPostgres();
    const [key, certificate] = [join(server.folder, "data", "server.key"), join(server.folder, "data", "server.crt")];
    execFileSync(
      "/usr/bin/openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-keyout",
        key,
        "-out",
        certificate,
      ],
      { stdio: "ignore" },
    );
    const { uid, gid } = userIds("postgres");
    for (const file of [key, certificate]) {
      execFileSync("chmod", ["600", file]);
      if (uid !== undefined) chownSync(file, uid, gid!);
    }
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query("alter system set ssl = on");
    await admin.query("select pg_reload_conf()");
    await vi.waitUntil(async () => (await admin.query<{ ssl: string }>("show ssl")).rows[0]!.ssl === "on");
    const pool = new pg.Pool({
      connectionString: server.url,
      ssl: { rejectUnauthorized: false },
      application_name: "tls",
    });
    await pool.query("select 1");
    // From here on the server accepts nothing in clear text.
    execFileSync("sh", [
      "-c",
      `printf 'hostssl all all 127.0.0.1/32 trust\\n' > ${join(server.folder, "data", "pg_hba.conf")}`,
    ]);
    await admin.query("select pg_reload_conf()");
    const [ctx] = withTimeout(background, 100);
    const error = await settled(query(ctx, pool, "select pg_sleep(10)"));
    const [next, cancel] = withTimeout(background, "5s");
    await vi.waitUntil(async () => {
      const { rows } = await query<{ n: number }>(
        next,
        pool,
        "select count(*)::int n from pg_stat_activity where query like '%pg_sleep(10)' and state = 'active'",
      );
      return rows[0]!.n === 0;
    });
    cancel();

    expect(error).toBe(ctx.err());
    await pool.end();
    await admin.end();
    await server.stop();
  });
});
