import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";

import { type Context, run } from "@throughline/context";
import { afterEach } from "vitest";

const closing: (() => Promise<unknown>)[] = [];

/** Registers a function to run when the test ends. */
export function atEnd(close: () => Promise<unknown>): void {
  closing.push(close);
}

/** Runs the functions given to `atEnd` after each test of the file. */
export function cleanUpAfterEach(): void {
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
}

/** Serves on loopback until the test ends. */
export async function serve(listener: http.RequestListener): Promise<{ url: string; server: http.Server }> {
  const server = http.createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
}

/**
 * The URL of a server that accepts connections and never sends a byte, so that TLS handshakes wait. Closed when the
 * test ends.
 */
export async function silentServer(): Promise<string> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Responds with the request headers as JSON. */
export const echo: http.RequestListener = (req, res) =>
  void res.setHeader("content-type", "application/json").end(JSON.stringify(req.headers));

/** The headers that a server receives of a call made in the context. */
export async function headersSentBy(
  fetch: typeof globalThis.fetch,
  ctx: Context,
  init?: RequestInit,
): Promise<Record<string, string>> {
  const { url } = await serve(echo);
  const response = await run(ctx, () => fetch(url, init));
  return (await response.json()) as Record<string, string>;
}
