import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type DatabaseServer, freePort, type StartOptions } from "./postgres.ts";

const SERVER = "/usr/sbin/nats-server";

export function hasNats(): boolean {
  return existsSync(SERVER);
}

/** Starts a NATS server with JetStream; its store is in its folder. */
export async function startNats({ detached = false }: StartOptions = {}): Promise<DatabaseServer> {
  const folder = mkdtempSync(join(tmpdir(), "throughline-nats-"));
  const port = await freePort();
  const server = spawn(SERVER, ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder], {
    detached,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let log = "";
    server.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
      if (log.includes("Server is ready")) resolve();
    });
    server.once("exit", () => reject(new Error(`Cannot start NATS: ${log}`)));
  });
  server.stderr.resume();
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    folder,
    async stop() {
      server.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
