import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** The services in start order: callees before callers. Each is a process. */
const SERVICES: readonly (readonly string[])[] = [
  ["tokens"],
  ["catalog", "inventory", "pricing", "reviews", "warehouse"],
  ["search"],
  ["gateway"],
];

export interface Storefront {
  readonly gateway: string;
  /** Drains and ends every service, callers before callees. */
  stop(): Promise<void>;
}

/**
 * The warehouse is started only if there is a NATS server.
 *
 * @param environment variables for all services, in addition to those of this process
 */
export async function startStorefront(port: number, environment: Record<string, string>): Promise<Storefront> {
  const children: ChildProcess[] = [];
  const addresses: Record<string, string> = {};
  async function startService(name: string): Promise<void> {
    const env = { ...process.env, ...environment, ...addresses, PORT: name === "gateway" ? `${port}` : "0" };
    const child = fork(new URL(`./services/${name}.ts`, import.meta.url), {
      env,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    children.push(child);
    for (const [kind, address] of Object.entries(await ready(name, child))) {
      addresses[`${name}_${kind}`.toUpperCase()] = address;
    }
  }
  async function stop(): Promise<void> {
    for (const child of children.toReversed()) await stopProcess(child);
  }
  try {
    for (const group of SERVICES) {
      const services = group.filter((name) => name !== "warehouse" || "NATS_URL" in environment);
      await Promise.all(services.map(startService));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { gateway: addresses["GATEWAY_URL"]!, stop };
}

/** Waits for the addresses of a service, by kind. */
async function ready(name: string, child: ChildProcess): Promise<Record<string, string>> {
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`Cannot start ${name}: it exited with code ${code} before it listened`);
  });
  const [message] = await Promise.race([once(child, "message"), failed]);
  failed.catch(() => {});
  return message as Record<string, string>;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(late);
}
