import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type DatabaseServer, freePort } from "./postgres.ts";

const SERVER = "/usr/bin/redis-server";

export function hasRedis(): boolean {
  return existsSync(SERVER);
}

export async function startRedis(): Promise<DatabaseServer> {
  const folder = mkdtempSync(join(tmpdir(), "throughline-redis-"));
  const port = await freePort();
  const flags = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--dir",
    folder,
    "--save",
    "",
    "--appendonly",
    "no",
    "--hz",
    "500",
  ];
  const server = spawn(SERVER, flags, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    server.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      if (chunk.includes("Ready to accept connections")) resolve();
    });
    server.once("exit", () => reject(new Error("Cannot start Redis")));
  });
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    folder,
    async stop() {
      server.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
