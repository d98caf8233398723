import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A socket to the server of this address, for what no client would send. */
export function dial(url: string): Socket {
  const { port, hostname, protocol } = new URL(url);
  const to = { port: Number(port), host: hostname };
  const socket = protocol === "https:" ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
  return socket.on("error", () => {});
}
