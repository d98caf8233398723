import type { Channel } from "node:diagnostics_channel";

import { nodeModule } from "@throughline/context/internal";

import type { UndiciRequest, UndiciResponse } from "./undici-request.ts";

/** The listeners for undici's diagnostics channels, in the order in which the channels publish. */
export interface ChannelListeners<R extends UndiciRequest> {
  /** undici created a request; its headers can still be changed. */
  readonly created: (message: { readonly request: R }) => void;
  /** undici opens a connection. */
  readonly connecting: () => void;
  /** undici wrote the request's headers to the connection. */
  readonly sent: (message: { readonly request: R }) => void;
  /** The response head has arrived. */
  readonly headReceived: (message: { readonly request: R; readonly response: UndiciResponse }) => void;
  /** The whole body has arrived. */
  readonly completed: (message: { readonly request: R }) => void;
  readonly failed: (message: { readonly request: R; readonly error: unknown }) => void;
}

type Listener = (message: unknown) => void;

/** Edge runtimes have no channels: then no call is observed. */
const channels = nodeModule("node:diagnostics_channel");
const createChannel = channels?.channel("undici:request:create");
let onCreate: Listener | undefined;

/**
 * Subscribes to the channels at the first call. Later calls keep the `created` listener last: instrumentations that
 * subscribe later write their headers later, and the listener must see these.
 */
export function observeChannels<R extends UndiciRequest>(listeners: ChannelListeners<R>): void {
  if (channels === undefined || createChannel === undefined) return;
  if (onCreate !== undefined) {
    const last = lastSubscriber(createChannel);
    if (last === onCreate || last === undefined) return;
    createChannel.unsubscribe(onCreate);
    createChannel.subscribe(onCreate);
    return;
  }
  onCreate = listeners.created as Listener;
  createChannel.subscribe(onCreate);
  channels.channel("undici:client:beforeConnect").subscribe(listeners.connecting);
  channels.channel("undici:client:sendHeaders").subscribe(listeners.sent as Listener);
  channels.channel("undici:request:headers").subscribe(listeners.headReceived as Listener);
  channels.channel("undici:request:trailers").subscribe(listeners.completed as Listener);
  channels.channel("undici:request:error").subscribe(listeners.failed as Listener);
}

/** Whether other code subscribes to the creation of requests: an instrumentation, or a logger. */
export function hasOtherSubscribers(): boolean {
  return createChannel !== undefined && (subscribersOf(createChannel)?.length ?? 2) > 1;
}

function lastSubscriber(of: Channel): unknown {
  return subscribersOf(of)?.at(-1);
}

/** The subscribers of a channel, which Node keeps in an array of this name; `undefined` where it does not. */
function subscribersOf(of: Channel): readonly unknown[] | undefined {
  return (of as { _subscribers?: readonly unknown[] })._subscribers;
}
