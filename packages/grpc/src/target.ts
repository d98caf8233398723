import { type ClientChannel, channelOf } from "./internals.ts";

/** How many procedures of a channel are kept: far more than a service has. */
const MOST = 1000;

/** A call that has not been started. */
interface NewCall {
  /** The target of its channel: the peer is not known before. */
  getPeer(): string;
}

/** Gives the addresses that calls go to, which are decided by their channel. Each is parsed once, as grpc-js writes its target anew for each call. */
export function addressesOf(isSecure: boolean): (call: NewCall, path: string) => URL | undefined {
  const known = new WeakMap<ClientChannel, Map<string, URL | undefined>>();
  return (call, path) => {
    const channel = channelOf(call);
    if (channel === undefined) return addressOf(call.getPeer(), path, isSecure);
    let addresses = known.get(channel);
    if (addresses?.has(path)) return addresses.get(path);
    if (addresses === undefined || addresses.size >= MOST) known.set(channel, (addresses = new Map()));
    // Behind a proxy the target of the channel is the proxy, for whichever service.
    const address = addressOf(channel.options["grpc.http_connect_target"] ?? call.getPeer(), path, isSecure);
    addresses.set(path, address);
    return address;
  };
}

/**
 * The address of a procedure, by the target of its channel: `dns:///inventory.internal:50051`, `ipv4:10.0.0.7:50051`, `localhost:50051`. `undefined`
 * for what is no host, such as a unix socket, or for several.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/naming.md
 */
export function addressOf(target: string, path: string, isSecure: boolean): URL | undefined {
  const host = /^(?:(?:dns|passthrough):(?:\/\/[^/]*\/)?|ipv[46]:)?((?:\[[\da-f:.%]+\]|[\w.-]+)(?::\d+)?)$/i.exec(
    target,
  )?.[1];
  if (host === undefined) return undefined;
  return URL.parse(path, `${isSecure ? "https" : "http"}://${host}`) ?? undefined;
}
