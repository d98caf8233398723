import { once } from "node:events";
import http from "node:http";

import { onTestFinished } from "vitest";

/** Serves on loopback until the test ends. Returns the URL. */
export async function serve(listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}
