import type { Metadata, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { type IncomingRequest, type Peer, peerOf, type Rpc } from "@throughline/http/adapter";

import { sessionOf } from "./internals.ts";
import { MetadataHeaders } from "./metadata-headers.ts";
import { receivedTimeout } from "./received-timeout.ts";
import { isServerTraced } from "./watched-handlers.ts";

/** A call as it reached a server of grpc-js. */
export class GrpcIncoming implements IncomingRequest {
  readonly method = "POST";
  readonly target: string;
  readonly protocolVersion = "2";
  readonly headers: MetadataHeaders;
  readonly rpc: Rpc;
  readonly #metadata: Metadata;
  readonly #call: ServerInterceptingCallInterface;

  constructor(path: string, metadata: Metadata, call: ServerInterceptingCallInterface) {
    this.target = path;
    this.headers = new MetadataHeaders(metadata, receivedTimeout(metadata));
    this.rpc = { system: "grpc", method: path.slice(1), isTracedElsewhere: isServerTraced(), code: undefined };
    this.#metadata = metadata;
    this.#call = call;
  }

  get scheme(): string {
    return sessionOf(this.#call)?.encrypted === true ? "https" : "http";
  }

  get authority(): string {
    return this.#call.getHost();
  }

  get clientAddress(): string | undefined {
    // Not `getConnectionInfo`, which grpc-js has from 1.14 on.
    return sessionOf(this.#call)?.socket?.remoteAddress;
  }

  get peer(): Peer | undefined {
    const session = sessionOf(this.#call);
    return session?.socket === undefined ? undefined : peerOf(session.socket, session);
  }

  remove(name: string): void {
    this.#metadata.remove(name);
  }

  replace(name: string, value: string): void {
    this.#metadata.set(name, value);
  }
}
