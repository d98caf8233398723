import { errorMonitor } from "node:events";

import { Server } from "@grpc/grpc-js";

type Callback = (error: unknown, ...rest: unknown[]) => void;

/** What grpc-js calls a handler with. */
interface HandlerCall {
  once(event: symbol, listener: (error: unknown) => void): unknown;
}

/** A handler of grpc-js: it has a callback where it gives one answer, else a stream. */
type Handler = (this: unknown, call: HandlerCall, callback?: Callback) => unknown;

/** How a server takes its handlers. An instrumentation of OpenTelemetry's that is in the way has marked it. */
type Register = ((this: Server, name: string, handler: Handler, ...rest: unknown[]) => boolean) & {
  readonly __wrapped?: boolean;
};

/** Follows the handler of one call. */
export interface HandlerObserver {
  /** It is about to run. */
  begun(): void;
  /** It has given an error as its answer. */
  failed(error: unknown): void;
  /** It has returned: a promise, if it goes on. */
  returned(value: unknown): void;
}

/** Gives who follows the handler of a call; `undefined` for calls of servers without our interceptor. */
export type ObserverOf = (call: object) => HandlerObserver | undefined;

const servers = Server.prototype as unknown as { register: Register };

let original: Register | undefined;

/**
 * Has the handlers that are added to servers from now on followed. grpc-js drops the promise of a handler: one that rejects, as with the error of a
 * context that has ended, ends the process. And of an error that a handler answers with grpc-js shows an interceptor no more than its message.
 */
export function watchHandlers(observerOf: ObserverOf): void {
  if (original !== undefined) return;
  const register = (original = servers.register);
  servers.register = function registerWatched(name, handler, ...rest) {
    return register.call(this, name, watched(handler, observerOf), ...rest);
  };
}

/** Whether OpenTelemetry's instrumentation makes the SERVER spans: it does so further in, around each handler. */
export function isServerTraced(): boolean {
  return servers.register.__wrapped === true || original?.__wrapped === true;
}

function watched(handler: Handler, observerOf: ObserverOf): Handler {
  return function watchedHandler(call, callback) {
    const observer = observerOf(call);
    if (observer === undefined) return handler.call(this, call, callback);
    observer.begun();
    const returned = handler.call(this, call, noting(observer, call, callback));
    observer.returned(returned);
    return returned;
  };
}

/** The callback that notes errors too. Where there is none it is the stream's errors that are noted. */
function noting(observer: HandlerObserver, call: HandlerCall, callback: Callback | undefined): Callback | undefined {
  if (callback === undefined) {
    call.once(errorMonitor, (error) => observer.failed(error));
    return undefined;
  }
  return (error, ...rest) => {
    if (error) observer.failed(error);
    callback(error, ...rest);
  };
}
