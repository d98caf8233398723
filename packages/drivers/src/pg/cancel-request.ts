import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, TLSSocket } from "node:tls";

/** What is needed of a client of `pg`. */
export interface CancelableClient {
  readonly processID: number | null;
  readonly secretKey: number | Buffer | null;
  readonly connection: {
    readonly stream: Socket | TLSSocket;
    readonly ssl?: boolean | ConnectionOptions;
    readonly sslNegotiation?: string;
  };
  readonly connectionParameters: { readonly host: string; readonly port: number };
}

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;

/**
 * Sends a CancelRequest for the statement that a client runs, on a connection of its own, as the PostgreSQL protocol
 * asks for. It works when the server accepts no more sessions. It goes to the address of the client's socket, as the
 * host's name may lead to several servers, and over TLS where the client uses TLS.
 *
 * @returns a promise that resolves when the server has closed the connection, which it does after it has sent the
 * signal
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export function cancelRequest(client: CancelableClient): Promise<void> {
  const { stream } = client.connection;
  return new Promise((resolve, reject) => {
    const socket = connect(addressOf(client));
    const send = (over: Socket): void => {
      over.on("error", reject).once("close", () => resolve());
      over.resume();
      over.write(messageOf(client));
    };
    socket.once("error", reject);
    socket.once("connect", () => {
      if (!(stream instanceof TLSSocket)) return send(socket);
      if (client.connection.sslNegotiation === "direct") return secure(client, socket, send);
      socket.once("data", (answer) => {
        if (answer.toString("latin1") === "S") secure(client, socket, send);
        else socket.destroy(new Error("Cannot cancel a query: the server does not accept TLS"));
      });
      socket.write(int32s(8, SSL_REQUEST));
    });
  });
}

function secure(
  { connection, connectionParameters }: CancelableClient,
  socket: Socket,
  send: (over: Socket) => void,
): void {
  const { ssl, sslNegotiation, stream } = connection;
  const options: ConnectionOptions = {
    ...(typeof ssl === "object" ? ssl : undefined),
    socket,
    host: connectionParameters.host,
  };
  const { servername } = stream as TLSSocket & { servername?: string };
  if (servername) options.servername = servername;
  if (sslNegotiation === "direct") options.ALPNProtocols = ["postgresql"];
  const over = connectTls(options, () => send(over));
  over.once("error", (error) => socket.destroy(error));
}

function addressOf({
  connection,
  connectionParameters,
}: CancelableClient): { host: string; port: number } | { path: string } {
  const { host, port } = connectionParameters;
  if (host.startsWith("/")) return { path: `${host}/.s.PGSQL.${port}` };
  const { remoteAddress, remotePort } = connection.stream;
  return { host: remoteAddress ?? host, port: remotePort ?? port };
}

/** Keys have four bytes, or up to 256 since version 3.2 of the protocol. */
function messageOf({ processID, secretKey }: CancelableClient): Buffer {
  const key = Buffer.isBuffer(secretKey) ? secretKey : int32s(secretKey ?? 0);
  return Buffer.concat([int32s(12 + key.length, CANCEL_REQUEST, processID ?? 0), key]);
}

function int32s(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeInt32BE(value, index * 4);
  return buffer;
}
