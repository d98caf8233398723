import { spawn } from "node:child_process";
import { chownSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type DatabaseServer, freePort, userIds } from "./postgres.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

export function hasPgbouncer(): boolean {
  return existsSync(PROGRAM);
}

/** Starts pgbouncer in transaction mode in front of a server, with so many connections to it. */
export async function startPgbouncer(
  server: DatabaseServer,
  poolSize: number,
): Promise<{ url: string; stop(): Promise<void> }> {
  const ids = userIds("postgres");
  const port = await freePort();
  const config = join(server.folder, "pgbouncer.ini");
  const users = join(server.folder, "users.txt");
  writeFileSync(users, '"postgres" ""\n');
  writeFileSync(
    config,
    [
      "[databases]",
      `postgres = host=127.0.0.1 port=${server.port} dbname=postgres user=postgres`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = any",
      `auth_file = ${users}`,
      "pool_mode = transaction",
      `default_pool_size = ${poolSize}`,
      "max_client_conn = 200",
      "ignore_startup_parameters = extra_float_digits,application_name",
    ].join("\n"),
  );
  if (ids.uid !== undefined) for (const file of [config, users]) chownSync(file, ids.uid, ids.gid!);
  const program = spawn(PROGRAM, [config], { ...ids, cwd: server.folder, stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => program.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let log = "";
    program.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
      if (log.includes("process up")) resolve();
    });
    program.once("exit", () => reject(new Error(`Cannot start pgbouncer: ${log}`)));
  });
  program.stderr.resume();
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      program.kill("SIGKILL");
      await exited;
    },
  };
}
