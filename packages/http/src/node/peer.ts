import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

import type { Peer } from "../observe/server-request.ts";

/** A connection's peer is the same for all its requests. */
const peers = new WeakMap<object, Peer>();

/**
 * @param connection what stands for the connection, if not the socket: HTTP/2 has a new socket object for each request
 * @returns `undefined` for a connection that is gone: it has no address any more, and must not be taken for one that never had
 */
export function peerOf(socket: Socket, connection: object = socket): Peer | undefined {
  const known = peers.get(connection);
  if (known !== undefined) return known;
  const address = socket.remoteAddress;
  const isUnixSocket = address === undefined && cameOverUnixSocket(socket);
  if (address === undefined && !isUnixSocket) return undefined;
  const peer = { address, isUnixSocket, subjects: subjectsOf(socket) };
  peers.set(connection, peer);
  return peer;
}

/** Its server listens on a path: that is certain, where the absence of an address is not. */
function cameOverUnixSocket(socket: Socket): boolean {
  const { server } = socket as { server?: { address?(): unknown } };
  return !socket.destroyed && typeof server?.address?.() === "string";
}

/** Only of a certificate that was asked for, and whose chain holds. */
function subjectsOf(socket: Socket | TLSSocket): string[] {
  if (!("getPeerCertificate" in socket) || !socket.authorized) return [];
  const { subject, subjectaltname } = (socket.getPeerCertificate() ?? {}) as Partial<
    ReturnType<TLSSocket["getPeerCertificate"]>
  >;
  // Node gives several common names as a list. Programs differ in which of them they read, so none of them counts.
  const name = typeof subject?.CN === "string" ? [`CN=${subject.CN}`] : [];
  return [...name, ...(subjectaltname?.split(", ") ?? [])];
}
