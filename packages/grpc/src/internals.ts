import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

import type { Server } from "@grpc/grpc-js";

/** What grpc-js has below its interceptors, and does not show: all of it may be missing in another version, and we do without. */
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

/** What a client's calls go through, with the options that grpc-js has made of the client's and of the environment's. */
export interface ClientChannel {
  readonly options: { readonly "grpc.http_connect_target"?: string };
}

export function channelOf(call: object): ClientChannel | undefined {
  const channel = baseOf(call).call?.channel;
  return channel?.options === undefined ? undefined : (channel as ClientChannel);
}

/** Leaves the deadline of the call to us alone: we have read it right, and say who set it. */
export function disarm(call: object): void {
  const { deadlineTimer } = baseOf(call);
  if (deadlineTimer) clearTimeout(deadlineTimer);
}

/** The call of an interceptor's that a handler's call goes through: of several of this class the nearest to the wire. */
export function callBehind<T>(handlerCall: object, type: abstract new (...args: never[]) => T): T | undefined {
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
