import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import type { Duration } from "@throughline/context";
import { drain } from "@throughline/http";
import { startTelemetry } from "@throughline/telemetry";

/** What a service has besides its HTTP server. */
export interface ServiceParts {
  /** The addresses of another server, by kind. */
  readonly addresses?: Readonly<Record<string, string>>;
  /** Drains another server, or the consumers of a queue, at the same time as the HTTP server. */
  drain?(shutdownTimeout: Duration): Promise<void>;
  /** Closes what requests use, after they have ended. */
  close?(): Promise<void>;
}

const SHUTDOWN_TIMEOUT: Duration = "3s";

/** Runs a service: starts telemetry, listens, and drains on SIGTERM. */
export async function start(name: string, handler: RequestListener, parts: ServiceParts = {}): Promise<void> {
  const telemetry = startTelemetry({ serviceName: name });
  const server = createServer(handler);
  await listen(server, Number(process.env["PORT"] ?? 0));
  process.send?.({ ...parts.addresses, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });

  async function shutDown(): Promise<void> {
    const drained = Promise.all([
      drain(server, { shutdownTimeout: SHUTDOWN_TIMEOUT }),
      parts.drain?.(SHUTDOWN_TIMEOUT),
    ]);
    await telemetry.shutdown(drained.then(() => parts.close?.()));
    if (process.connected) process.disconnect();
  }
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => (ending ??= shutDown());
  // Without a listener, a second signal would end the process in the middle of the drain.
  process.on("SIGTERM", end);
  // The parent process has ended.
  process.once("disconnect", end);
  // Ctrl-C reaches all processes of the terminal's group; the parent decides when this one ends.
  process.on("SIGINT", () => {});
}

/** Listens on the port, or on a free port if it is in use. */
async function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch (error) {
    if (port === 0 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    console.error(`Port ${port} is taken; using a free port. Set PORT to choose another.`);
    await listen(server, 0);
  }
}

/** Returns the address of another service, from the environment. */
export function addressOf(name: string, kind: "url" | "grpc" = "url"): string {
  const variable = `${name}_${kind}`.toUpperCase();
  const address = process.env[variable];
  if (address === undefined) throw new Error(`Cannot find ${name}: set ${variable} to its address`);
  return address;
}
