import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Who is at the other end of the connection itself, be it a proxy. */
export interface Peer {
  /** Its address; `undefined` on a unix socket. */
  readonly address: string | undefined;
  /** Whether it came over a unix socket, which the file system guards. */
  readonly isUnixSocket: boolean;
  /** What the certificate is for that it has proved, as Node writes it: `"CN=gateway"`, `"DNS:gateway.internal"`, `"URI:spiffe://shop/gateway"`. */
  readonly subjects: readonly string[];
}

/** A connection's peer is the same for all its requests. */
const peers = new WeakMap<object, Peer>();

export function peerOf(socket: Socket): Peer {
  let peer = peers.get(socket);
  if (peer === undefined) {
    const address = socket.remoteAddress;
    const isUnixSocket =
      address === undefined && typeof (socket.address() as { address?: string }).address !== "string";
    peer = { address, isUnixSocket, subjects: subjectsOf(socket) };
    peers.set(socket, peer);
  }
  return peer;
}

/** Only of a certificate that was asked for, and whose chain holds. */
function subjectsOf(socket: Socket | TLSSocket): string[] {
  if (!("getPeerCertificate" in socket) || !socket.authorized) return [];
  const { subject, subjectaltname } = socket.getPeerCertificate();
  const names = [subject?.CN].flat().filter((name) => name !== undefined);
  return [...names.map((name) => `CN=${name}`), ...(subjectaltname?.split(", ") ?? [])];
}
