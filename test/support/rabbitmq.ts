import { spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { type DatabaseServer, freePort, userIds } from "./postgres.ts";

const PROGRAMS = "/usr/lib/rabbitmq/bin";
const EPMD = "/usr/bin/epmd";

export function hasRabbitmq(): boolean {
  return existsSync(join(PROGRAMS, "rabbitmq-server")) && existsSync(EPMD);
}

/**
 * Starts a RabbitMQ server, which takes some seconds. Its Erlang has a name server (epmd) of its own on a port of its
 * own, so that it ends with the server.
 */
export async function startRabbitmq(): Promise<DatabaseServer> {
  const folder = mkdtempSync(join(tmpdir(), "throughline-rabbitmq-"));
  const [port, nodePort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const ids = userIds("rabbitmq");
  const settings = join(folder, "rabbitmq.conf");
  writeFileSync(settings, `listeners.tcp.default = 127.0.0.1:${port}\nloopback_users.guest = true\n`);
  const data = join(folder, "data");
  mkdirSync(data);
  writeFileSync(join(folder, "enabled_plugins"), "[].\n");
  if (ids.uid !== undefined) for (const each of [folder, data]) chownSync(each, ids.uid, ids.gid!);

  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    RABBITMQ_NODENAME: `throughline${port}@localhost`,
    RABBITMQ_DIST_PORT: String(nodePort),
    RABBITMQ_MNESIA_BASE: data,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_PID_FILE: join(folder, "pid"),
    RABBITMQ_CONFIG_FILE: settings,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_EPMD_PORT: String(epmdPort),
  };
  const options = { ...ids, cwd: folder, env, stdio: "ignore" } as const;
  const epmd = spawn(EPMD, ["-port", String(epmdPort), "-address", "127.0.0.1"], options);
  // A group of its own: the program is a script that starts Erlang.
  const server = spawn(join(PROGRAMS, "rabbitmq-server"), [], { ...options, detached: true });
  let hasExited = false;
  const exited = new Promise<void>((resolve) => server.once("exit", () => ((hasExited = true), resolve())));
  const stop = async (): Promise<void> => {
    if (!hasExited) process.kill(-server.pid!, "SIGKILL");
    epmd.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  const until = Date.now() + 60_000;
  while (!(await answers(port))) {
    if (hasExited || Date.now() > until) {
      await stop();
      throw new Error("Cannot start RabbitMQ");
    }
    await delay(50);
  }
  return { port, url: `amqp://guest:guest@127.0.0.1:${port}`, folder, stop };
}

/** Whether a server answers to the header of AMQP. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("AMQP\0\0\x09\x01"));
    const done = (hasAnswered: boolean): void => {
      socket.destroy();
      resolve(hasAnswered);
    };
    socket.once("data", () => done(true));
    for (const event of ["error", "end"]) socket.once(event, () => done(false));
    socket.setTimeout(1000, () => done(false));
  });
}
