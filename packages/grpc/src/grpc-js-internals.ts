import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

import type { Server } from "@grpc/grpc-js";

/**
 * Private state of grpc-js below its interceptors. Another version may lack any of it; this package then works without.
 */
interface BaseCall {
  readonly nextCall?: BaseCall;
  readonly call?: { readonly channel?: Partial<ClientChannel> };
  readonly stream?: { readonly session?: Http2Session & { readonly socket?: Socket } };
  deadlineTimer?: NodeJS.Timeout | null;
}

function baseOf(call: object): BaseCall {
  let base = call as BaseCall;
  while (base.nextCall !== undefined) base = base.nextCall;
  return base;
}

export function sessionOf(call: object): Http2Session | undefined {
  return baseOf(call).stream?.session;
}

/**
 * The channel of a client's calls, with the options that grpc-js derived from the client's options and the environment.
 */
export interface ClientChannel {
  readonly options: { readonly "grpc.http_connect_target"?: string };
}

export function channelOf(call: object): ClientChannel | undefined {
  const channel = baseOf(call).call?.channel;
  return channel?.options === undefined ? undefined : (channel as ClientChannel);
}

/**
 * Stops the timer of grpc-js for the deadline of a call. This package parses the deadline correctly, and its status
 * names what set it.
 */
export function clearDeadlineTimer(call: object): void {
  const { deadlineTimer } = baseOf(call);
  if (deadlineTimer) clearTimeout(deadlineTimer);
}

/**
 * The interceptor's call of this class that a handler's call goes through. If there are several, it is the nearest to
 * the wire.
 */
export function interceptorCallOf<T>(handlerCall: object, type: abstract new (...args: never[]) => T): T | undefined {
  let found: T | undefined;
  for (let call = (handlerCall as { call?: BaseCall }).call; call !== undefined; call = call.nextCall) {
    if (call instanceof type) found = call;
  }
  return found;
}

/** The servers of `node:http2` that a server of grpc-js listens with. */
export function serversOf(server: Server): object[] {
  return [...((server as unknown as { http2Servers?: Map<object, unknown> }).http2Servers?.keys() ?? [])];
}
