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

/** Where a CancelRequest goes, and for which session. */
export interface CancelTarget {
  readonly connect: () => Socket | Promise<Socket>;
  /** `undefined` without TLS. */
  readonly tls: ConnectionOptions | undefined;
  /** Whether TLS starts without an SSLRequest (`sslnegotiation=direct`). */
  readonly isDirect: boolean;
  /** Whether the request may go unencrypted to a server that does not accept TLS. */
  readonly isTlsOptional?: boolean;
  readonly processId: number;
  /** Four bytes, or up to 256 since version 3.2 of the protocol. */
  readonly secretKey: number | Buffer;
}

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
  return sendCancelRequest({
    connect: () => connect(addressOf(client)),
    tls: client.connection.stream instanceof TLSSocket ? tlsOf(client) : undefined,
    isDirect: client.connection.sslNegotiation === "direct",
    processId: client.processID ?? 0,
    secretKey: client.secretKey ?? 0,
  });
}

/** @returns a promise that resolves when the server has closed the connection, after it has sent the signal */
export async function sendCancelRequest(target: CancelTarget): Promise<void> {
  const socket = await target.connect();
  return new Promise((resolve, reject) => {
    const send = (over: Socket): void => {
      over.on("error", reject).once("close", () => resolve());
      over.resume();
      over.write(messageOf(target));
    };
    const secure = (): void => {
      const over = connectTls({ ...target.tls, socket }, () => send(over));
      over.once("error", (error) => socket.destroy(error));
    };
    const begin = (): void => {
      if (target.tls === undefined) return send(socket);
      if (target.isDirect) return secure();
      socket.once("data", (answer) => {
        if (answer.toString("latin1") === "S") secure();
        else if (target.isTlsOptional === true) send(socket);
        else socket.destroy(new Error("Cannot cancel a query: the server does not accept TLS"));
      });
      socket.write(int32s(8, SSL_REQUEST));
    };
    socket.once("error", reject);
    if (socket.connecting) socket.once("connect", begin);
    else begin();
  });
}

function tlsOf({ connection, connectionParameters }: CancelableClient): ConnectionOptions {
  const { ssl, sslNegotiation, stream } = connection;
  const options: ConnectionOptions = {
    ...(typeof ssl === "object" ? ssl : undefined),
    host: connectionParameters.host,
  };
  const { servername } = stream as TLSSocket & { servername?: string };
  if (servername) options.servername = servername;
  if (sslNegotiation === "direct") options.ALPNProtocols = ["postgresql"];
  return options;
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

function messageOf({ processId, secretKey }: CancelTarget): Buffer {
  const key = Buffer.isBuffer(secretKey) ? secretKey : int32s(secretKey);
  return Buffer.concat([int32s(12 + key.length, CANCEL_REQUEST, processId), key]);
}

function int32s(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeInt32BE(value | 0, index * 4);
  return buffer;
}
