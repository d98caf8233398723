import { Metadata } from "@grpc/grpc-js";

/**
 * Where a `grpc-timeout` is kept with its metadata, as it was sent: grpc-js takes the header away before an interceptor can see it, having read some of
 * it wrong. Not in a WeakMap: for keys that live as short as a call that costs the garbage collector more than all the rest of it.
 */
const TIMEOUT: unique symbol = Symbol("throughline.grpc-timeout");

let isRemembering = false;

/**
 * Has the `grpc-timeout` of calls remembered from now on. grpc-js reads it without an anchor, so that `123456789m` passes for 23456789 ms, and cuts
 * it down to 32 bits, so that `597H` has passed at once: what we hold a call to must be read from what was sent. Nothing is changed for servers
 * without our interceptor.
 */
export function rememberTimeouts(): void {
  if (isRemembering) return;
  isRemembering = true;
  const fromHttp2Headers = Metadata.fromHttp2Headers.bind(Metadata);
  Metadata.fromHttp2Headers = function remembering(headers) {
    const metadata: Metadata & { [TIMEOUT]?: string } = fromHttp2Headers(headers);
    const timeout = headers["grpc-timeout"];
    if (timeout !== undefined) metadata[TIMEOUT] = String(timeout);
    return metadata;
  };
}

export function receivedTimeout(metadata: Metadata & { [TIMEOUT]?: string }): string | undefined {
  return metadata[TIMEOUT];
}
