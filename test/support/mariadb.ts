import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { type DatabaseServer, freePort, userIds } from "./postgres.ts";

const INSTALL = "/usr/bin/mariadb-install-db";
const SERVER = "/usr/sbin/mariadbd";

export function hasMariadb(): boolean {
  return existsSync(INSTALL) && existsSync(SERVER);
}

/** Starts a server with an empty database `test`, for the user `root` without a password; it takes about a second. */
export async function startMariadb(): Promise<DatabaseServer> {
  const ids = userIds("mysql");
  const folder = mkdtempSync(join(tmpdir(), "throughline-maria-"));
  const data = join(folder, "data");
  mkdirSync(data);
  if (ids.uid !== undefined) for (const each of [folder, data]) chownSync(each, ids.uid, ids.gid!);
  const port = await freePort();
  const options = ["--no-defaults", `--datadir=${data}`];
  execFileSync(INSTALL, [...options, "--auth-root-authentication-method=normal", "--skip-test-db"], {
    ...ids,
    stdio: "ignore",
  });
  const flags = [`--port=${port}`, "--bind-address=127.0.0.1", `--socket=${folder}/socket`, "--skip-name-resolve"];
  const server = spawn(SERVER, [...options, ...flags], { ...ids, cwd: folder, stdio: "ignore" });
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (tries > 300) throw new Error("Cannot start MariaDB: it does not listen after 15 s");
    await delay(50);
  }
  execFileSync("/usr/bin/mariadb", [
    "--no-defaults",
    "-uroot",
    `--socket=${folder}/socket`,
    "-e",
    "create database test",
  ]);
  return {
    port,
    url: `mysql://root@127.0.0.1:${port}/test`,
    folder,
    async stop() {
      server.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    // The server greets its clients.
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
