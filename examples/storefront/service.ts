import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import type { Duration } from "@throughline/context";
import { drain } from "@throughline/http";
import { startTelemetry } from "@throughline/telemetry";

/** What a service listens with besides, and how that is drained. */
export interface Beside {
  readonly addresses: Readonly<Record<string, string>>;
  drain(shutdownTimeout: Duration): Promise<void>;
}

const SHUTDOWN_TIMEOUT: Duration = "3s";

/** What every service of the storefront does around its handler: telemetry, listening, draining. */
export async function start(name: string, handler: RequestListener, beside?: Beside): Promise<void> {
  const telemetry = startTelemetry({ serviceName: name });
  const server = createServer(handler);
  await listen(server, Number(process.env["PORT"] ?? 0));
  process.send?.({ ...beside?.addresses, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });

  async function shutDown(): Promise<void> {
    await telemetry.shutdown(
      Promise.all([drain(server, { shutdownTimeout: SHUTDOWN_TIMEOUT }), beside?.drain(SHUTDOWN_TIMEOUT)]),
    );
    if (process.connected) process.disconnect();
  }
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => (ending ??= shutDown());
  // Without a listener, a second signal would end the process in the middle of the drain.
  process.on("SIGTERM", end);
  // Whoever started this process is gone.
  process.once("disconnect", end);
  // Ctrl-C reaches the whole group of processes; the one that was started by hand tells the others when to end.
  process.on("SIGINT", () => {});
}

/** Listens on the port, or on any other if that is taken. */
async function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch (error) {
    if (port === 0 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    console.error(`Port ${port} is taken (PORT=... chooses one); using a free one instead.`);
    await listen(server, 0);
  }
}

/** The address of another service, as its starter gave it. */
export function addressOf(name: string, kind: "url" | "grpc" = "url"): string {
  const variable = `${name}_${kind}`.toUpperCase();
  const address = process.env[variable];
  if (address === undefined) throw new Error(`Cannot find ${name}: set ${variable} to its address`);
  return address;
}
