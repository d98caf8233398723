import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

import type { Peer } from "../observe/server-request.ts";

/** All requests of a connection have the same peer. */
const peers = new WeakMap<object, Peer>();

/**
 * The peer of a connection.
 *
 * @param connection the object that identifies the connection, if not the socket: HTTP/2 has a new socket object for
 *   each request
 * @returns `undefined` if the connection is closed. It has no address any more, which must not be mistaken for a unix
 *   socket
 */
export function peerOf(socket: Socket, connection: object = socket): Peer | undefined {
  const known = peers.get(connection);
  if (known !== undefined) return known;
  const address = socket.remoteAddress;
  const isUnixSocket = address === undefined && usesUnixSocket(socket);
  if (address === undefined && !isUnixSocket) return undefined;
  const peer = { address, isUnixSocket, subjects: subjectsOf(socket) };
  peers.set(connection, peer);
  return peer;
}

/** Whether its server listens on a path. A missing address does not prove a unix socket. */
function usesUnixSocket(socket: Socket): boolean {
  const { server } = socket as { server?: { address?(): unknown } };
  return !socket.destroyed && typeof server?.address?.() === "string";
}

/** The subjects of the certificate, if the server requested one and its chain is valid. */
function subjectsOf(socket: Socket | TLSSocket): string[] {
  if (!("getPeerCertificate" in socket) || !socket.authorized) return [];
  const { subject, subjectaltname } = (socket.getPeerCertificate() ?? {}) as Partial<
    ReturnType<TLSSocket["getPeerCertificate"]>
  >;
  // Node returns several common names as a list. Programs differ in which of them they read, so none is used.
  const name = typeof subject?.CN === "string" ? [`CN=${subject.CN}`] : [];
  return [...name, ...(subjectaltname?.split(", ") ?? [])];
}
