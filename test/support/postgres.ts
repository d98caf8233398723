import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server that a test started in a folder and on a port of its own. */
export interface DatabaseServer {
  readonly port: number;
  readonly url: string;
  /** The folder of its data, its sockets and its log. */
  readonly folder: string;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** A process group of its own, so that Ctrl-C in a terminal does not end the server. @default false */
  readonly detached?: boolean;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** The folder of PostgreSQL's programs on this machine, the newest version; `undefined` without one. */
export function postgresPrograms(): string | undefined {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return undefined;
  const [newest] = readdirSync(root).toSorted((a, b) => Number(b) - Number(a));
  const folder = join(root, newest ?? "", "bin");
  return existsSync(join(folder, "initdb")) ? folder : undefined;
}

/** PostgreSQL refuses to run as root. */
export function userIds(name: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => Number(execFileSync("id", [flag, name], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** Starts a server with an empty database; it takes about half a second. */
export async function startPostgres(
  settings: Readonly<Record<string, string | number>> = {},
  { detached = false }: StartOptions = {},
): Promise<DatabaseServer> {
  const programs = postgresPrograms()!;
  const ids = userIds("postgres");
  const folder = mkdtempSync(join(tmpdir(), "throughline-pg-"));
  const data = join(folder, "data");
  mkdirSync(data);
  if (ids.uid !== undefined) for (const each of [folder, data]) chownSync(each, ids.uid, ids.gid!);
  const port = await freePort();
  execFileSync(join(programs, "initdb"), ["-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], {
    ...ids,
    cwd: folder,
    stdio: "ignore",
  });
  const all = { listen_addresses: "127.0.0.1", unix_socket_directories: folder, fsync: "off", port, ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = spawn(join(programs, "postgres"), ["-D", data, ...flags], {
    ...ids,
    cwd: folder,
    detached,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let log = "";
    server.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
      if (log.includes("ready to accept connections")) resolve();
    });
    server.once("exit", () => reject(new Error(`Cannot start PostgreSQL: ${log}`)));
  });
  server.stderr.resume();
  return {
    port,
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    folder,
    async stop() {
      server.kill("SIGQUIT");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
