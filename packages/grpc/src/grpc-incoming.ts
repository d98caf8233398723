import type { Metadata, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { type IncomingRequest, type Peer, peerOf, type RequestHeaders, type Rpc } from "@throughline/http/adapter";

import { sessionOf } from "./grpc-js-internals.ts";
import { isServerTraced } from "./handler-observer.ts";
import { receivedTimeout } from "./received-timeout.ts";

/** A call that a server of grpc-js received. */
export class GrpcIncoming implements IncomingRequest {
  readonly method = "POST";
  readonly target: string;
  readonly protocolVersion = "2";
  readonly headers: RequestHeaders;
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
    // `getConnectionInfo` exists in grpc-js 1.14 and later only.
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

/** The text entries of metadata, as headers. Binary entries (`-bin`) belong to the application. */
class MetadataHeaders implements RequestHeaders {
  readonly #metadata: Metadata;
  readonly #timeout: string | undefined;

  /** @param timeout the call's `grpc-timeout`, which grpc-js has removed from the metadata */
  constructor(metadata: Metadata, timeout: string | undefined) {
    this.#metadata = metadata;
    this.#timeout = timeout;
  }

  get(name: string): string | readonly string[] | undefined {
    if (name === "grpc-timeout") return this.#timeout;
    if (name.endsWith("-bin")) return undefined;
    const values = this.#metadata.get(name) as string[];
    return values.length === 0 ? undefined : values.length === 1 ? values[0] : values;
  }

  names(): readonly string[] {
    const names = Object.keys(this.#metadata.getMap()).filter((name) => !name.endsWith("-bin"));
    return this.#timeout === undefined ? names : [...names, "grpc-timeout"];
  }
}
