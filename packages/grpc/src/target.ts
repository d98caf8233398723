import { type ClientChannel, channelOf } from "./grpc-js-internals.ts";

/** How many addresses are kept for one channel, one for each procedure. Services have far fewer procedures. */
const MAX_ADDRESSES = 1000;

/** A call that has not been started. */
interface NewCall {
  /** Returns the target of the channel until the call is started, then the peer. */
  getPeer(): string;
}

/**
 * Returns a function that gives the address which a call goes to. The channel decides it, so each address is parsed
 * once: grpc-js formats its target anew for each call.
 */
export function addressResolver(isSecure: boolean): (call: NewCall, path: string) => URL | undefined {
  const known = new WeakMap<ClientChannel, Map<string, URL | undefined>>();
  return (call, path) => {
    const channel = channelOf(call);
    if (channel === undefined) return addressOf(call.getPeer(), path, isSecure);
    let addresses = known.get(channel);
    if (addresses?.has(path)) return addresses.get(path);
    if (addresses === undefined || addresses.size >= MAX_ADDRESSES) known.set(channel, (addresses = new Map()));
    // Behind a proxy the target of the channel is the proxy, whichever service is called.
    const address = addressOf(channel.options["grpc.http_connect_target"] ?? call.getPeer(), path, isSecure);
    addresses.set(path, address);
    return address;
  };
}

/**
 * The address of a procedure, from the target of its channel: `dns:///inventory.internal:50051`, `ipv4:10.0.0.7:50051`,
 * `localhost:50051`. It is `undefined` for a target that is not one host, such as a unix socket or a list of addresses.
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
