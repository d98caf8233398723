import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { background, withTimeout } from "@throughline/context";
import * as ofPg from "@throughline/drivers/pg";
import * as ofPostgres from "@throughline/drivers/postgres";
import pg from "pg";
import postgres from "postgres";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { type DatabaseServer, freePort, postgresPrograms, startPostgres, userIds } from "../support/postgres.ts";

describe.runIf(postgresPrograms() !== undefined)("cancel requests", () => {
  let server: DatabaseServer;
  let folder: string;
  let ca: string;
  let admin: pg.Client;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "throughline-tls-"));
    const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }]);
    ca = cert;
    const ids = userIds("postgres");
    for (const [name, text] of [["cert", cert] as const, ["key", key] as const]) {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      if (ids.uid !== undefined) chownSync(join(folder, name), ids.uid, ids.gid!);
    }
    if (ids.uid !== undefined) chownSync(folder, ids.uid, ids.gid!);
    server = await startPostgres({
      ssl: "on",
      ssl_cert_file: join(folder, "cert"),
      ssl_key_file: join(folder, "key"),
    });
    admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const isStopped = async (query: (ctx: ReturnType<typeof withTimeout>[0]) => PromiseLike<unknown>): Promise<void> => {
    const [ctx] = withTimeout(background, 100);
    const from = performance.now();
    const error: unknown = await query(ctx).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBe(ctx.err());
    await vi.waitUntil(async () => {
      const { rowCount } = await admin.query(
        "select from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'",
      );
      return rowCount === 0;
    });
    expect(performance.now() - from).toBeLessThan(1000);
  };

  it.each([{ ca: true }, { ca: false }])(
    "of pg go over TLS where the client uses TLS: verified $ca",
    async (verify) => {
      const ssl = verify.ca ? { ca, servername: "localhost" } : { rejectUnauthorized: false };
      const pool = new pg.Pool({ connectionString: server.url, ssl });
      await isStopped((ctx) => ofPg.query(ctx, pool, "select pg_sleep(10)"));
      await pool.end();
    },
  );

  it.each(["require", "prefer", "verified"] as const)("of postgres.js go over TLS: %s", async (mode) => {
    const sql = postgres(server.url, { ssl: mode === "verified" ? { ca, servername: "localhost" } : mode });
    await isStopped((ctx) => ofPostgres.query(ctx, sql, (sql) => sql`select pg_sleep(10)`));
    await sql.end();
  });

  it("of postgres.js go to each of several hosts", async () => {
    const sql = postgres(`postgresql://postgres@127.0.0.1:${await freePort()},127.0.0.1:${server.port}/postgres`);
    await isStopped((ctx) => ofPostgres.query(ctx, sql, (sql) => sql`select pg_sleep(10)`));
    await sql.end();
  });

  it("go over the socket of the server's folder", async () => {
    const host = server.folder;
    const pool = new pg.Pool({ host, port: server.port, user: "postgres" });
    await isStopped((ctx) => ofPg.query(ctx, pool, "select pg_sleep(10)"));
    await pool.end();
    const sql = postgres({ host, port: server.port, user: "postgres" });
    await isStopped((ctx) => ofPostgres.query(ctx, sql, (sql) => sql`select pg_sleep(10)`));
    await sql.end();
  });

  it("work while the server accepts no more sessions", async () => {
    const full = await startPostgres({ max_connections: 5, superuser_reserved_connections: 0 });
    const sql = postgres(full.url, { max: 5 });
    const cut = Array.from({ length: 5 }, () => {
      const [ctx] = withTimeout(background, 300);
      return ofPostgres
        .query(ctx, sql, (sql) => sql`select pg_sleep(10)`)
        .catch((error: unknown) => error === ctx.err());
    });
    expect(await Promise.all(cut)).toEqual([true, true, true, true, true]);
    const from = performance.now();
    await Promise.all(Array.from({ length: 5 }, () => sql`select 1`));
    expect(performance.now() - from).toBeLessThan(500);
    await sql.end();
    await full.stop();
  });
});
