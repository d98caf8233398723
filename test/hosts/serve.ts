import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";

import type { DrainableServer, ServerOptions } from "@throughline/http";
import { generate } from "selfsigned";

import type { Handler, Host, Setup } from "./host.ts";

/** A running server. */
export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly server: DrainableServer;
  close(): Promise<void>;
}

/** A self-signed certificate for the tests. */
const identity = generate([{ name: "commonName", value: "localhost" }]).then(({ private: key, cert }) => ({
  key,
  cert,
}));

/** Serves on loopback. @param nodes options of Node's server; over TLS they can request client certificates */
export async function serve(
  host: Host,
  handler: Handler,
  options?: ServerOptions,
  inner?: ServerOptions,
  nodes: TlsOptions & http.ServerOptions = {},
  further: Pick<Setup, "guard" | "onError"> = {},
): Promise<Served> {
  const { on, listener } = host.listener(handler, { options, inner, ...further });
  const server = await serverOf(host, nodes);
  server.on(on, listener as never);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sessions = new Set<http2.Http2Session>();
  server.on("session" as never, ((session: http2.Http2Session) => void sessions.add(session)) as never);
  async function close(): Promise<void> {
    if (!server.listening) return;
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
    for (const session of sessions) session.destroy();
    await once(server, "close");
  }
  const scheme = host.isSecure ? "https" : "http";
  return { url: `${scheme}://127.0.0.1:${port}/items/7?q=1`, server, close, [Symbol.asyncDispose]: close };
}

async function serverOf(
  { protocol, isSecure }: Host,
  nodes: TlsOptions & http.ServerOptions,
): Promise<DrainableServer> {
  if (!isSecure) return protocol === "http/2" ? http2.createServer() : http.createServer(nodes);
  const options = { ...(await identity), ...nodes };
  return protocol === "http/2" ? http2.createSecureServer(options) : https.createServer(options);
}
