import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

import type { Server } from "@grpc/grpc-js";

/** What grpc-js has below its interceptors, and does not show: all of it may be missing in another version, and we do without. */
interface BaseCall {
  readonly nextCall?: BaseCall;
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

/** Has the deadline of the call kept by us alone, who read it right and say whose it was. */
export function disarm(call: object): void {
  const { deadlineTimer } = baseOf(call);
  if (deadlineTimer) clearTimeout(deadlineTimer);
}

/** The servers of `node:http2` that a server of grpc-js listens with. */
export function serversOf(server: Server): object[] {
  return [...((server as unknown as { http2Servers?: Map<object, unknown> }).http2Servers?.keys() ?? [])];
}
