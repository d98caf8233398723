import { connect } from "node:net";

import { stayAwake } from "../harness.ts";

/** A request of a traced caller with a deadline. */
const REQUEST = Buffer.from(
  "GET /items/7 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: keep-alive\r\ngrpc-timeout: 5S\r\n" +
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
);

const HEAD_END = "\r\n\r\n";

/**
 * Sends a number of requests over keep-alive connections, one at a time on each.
 *
 * It writes to sockets instead of using an HTTP client, so that the server is never idle. It never sleeps: waking it up
 * would cost the server a system call that takes far longer than the measured work.
 */
export async function load(port: number, requests: number, connections = 20): Promise<void> {
  let left = requests;
  const sleep = stayAwake();
  const worker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1").setNoDelay();
      const next = (): void => {
        if (left-- > 0) socket.write(REQUEST);
        else socket.end(resolve);
      };
      // The body has two bytes: when the head has arrived, the response is complete.
      socket.on("data", (chunk) => {
        if (chunk.includes(HEAD_END)) next();
      });
      socket.once("connect", next).once("error", reject);
    });
  await Promise.all(Array.from({ length: connections }, worker)).finally(sleep);
}
