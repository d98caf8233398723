import { connect } from "node:net";

/** A request as a traced caller with a deadline sends it. */
const REQUEST = Buffer.from(
  "GET /items/7 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: keep-alive\r\ngrpc-timeout: 5S\r\n" +
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
);

const HEAD_END = "\r\n\r\n";

/**
 * Sends as many requests as asked for, over some connections that stay open; ends by itself. Each connection waits for its answer.
 *
 * It speaks to the socket, not through a client, so that the server is never idle; and it never sleeps, as waking it up would cost the
 * server more the slower it is: a system call of the server's, longer by far than what is to be measured.
 */
export async function load(port: number, requests: number, connections = 20): Promise<void> {
  let left = requests;
  const stayAwake = (): void => void (left > -connections && setImmediate(stayAwake));
  stayAwake();
  const worker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1").setNoDelay();
      const next = (): void => {
        if (left-- > 0) socket.write(REQUEST);
        else socket.end(resolve);
      };
      // The bodies here are two bytes: an answer is whole when its head is.
      socket.on("data", (chunk) => {
        if (chunk.includes(HEAD_END)) next();
      });
      socket.once("connect", next).once("error", reject);
    });
  await Promise.all(Array.from({ length: connections }, worker));
}
