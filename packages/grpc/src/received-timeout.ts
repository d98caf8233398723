import { Metadata } from "@grpc/grpc-js";

/**
 * Property of metadata that holds the `grpc-timeout` as it was sent. grpc-js removes the header before an interceptor
 * sees it. This is not a WeakMap: with keys as short-lived as a call, it would cost the garbage collector more than all
 * the rest of the call.
 */
const TIMEOUT: unique symbol = Symbol("throughline.grpc-timeout");

let isRemembering = false;

/**
 * Records the `grpc-timeout` of calls from now on, since grpc-js parses it incorrectly: without an anchor, so that
 * `123456789m` is read as 23456789 ms, and truncated to 32 bits, so that `597H` has passed at once. Servers without our
 * interceptor behave as before.
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
