import { errorMonitor } from "node:events";

import { Server } from "@grpc/grpc-js";

type Callback = (error: unknown, ...rest: unknown[]) => void;

/** The call object that grpc-js passes to a handler. */
interface HandlerCall {
  once(event: symbol, listener: (error: unknown) => void): unknown;
}

/** A handler of grpc-js. It gets a callback if it sends one message, else it writes to the call. */
type Handler = (this: unknown, call: HandlerCall, callback?: Callback) => unknown;

/** `Server.prototype.register`. OpenTelemetry's instrumentation marks it when it wraps it. */
type Register = ((this: Server, name: string, handler: Handler, ...rest: unknown[]) => boolean) & {
  readonly __wrapped?: boolean;
};

/** Observes the handler of one call. */
export interface HandlerObserver {
  /** The handler is about to run. */
  begun(): void;
  /** The handler answered with an error. */
  failed(error: unknown): void;
  /** The handler returned. An async handler returns a promise. */
  returned(value: unknown): void;
}

/** Returns the observer of a call's handler; `undefined` for calls of servers without our interceptor. */
export type ObserverOf = (call: object) => HandlerObserver | undefined;

const servers = Server.prototype as unknown as { register: Register };

let original: Register | undefined;

/**
 * Observes the handlers that are added to servers from now on. grpc-js drops the promise of a handler, so a rejection,
 * such as the error of a context that has ended, would end the process. And of an error that a handler answers with,
 * grpc-js passes only the message to interceptors.
 */
export function observeHandlers(observerOf: ObserverOf): void {
  if (original !== undefined) return;
  const register = (original = servers.register);
  servers.register = function registerObserved(name, handler, ...rest) {
    return register.call(this, name, observed(handler, observerOf), ...rest);
  };
}

/**
 * Whether OpenTelemetry's instrumentation creates the SERVER spans. It wraps each handler, inside of this interceptor.
 */
export function isServerTraced(): boolean {
  return servers.register.__wrapped === true || original?.__wrapped === true;
}

function observed(handler: Handler, observerOf: ObserverOf): Handler {
  return function observedHandler(call, callback) {
    const observer = observerOf(call);
    if (observer === undefined) return handler.call(this, call, callback);
    observer.begun();
    const returned = handler.call(this, call, observedCallback(observer, call, callback));
    observer.returned(returned);
    return returned;
  };
}

/** Reports the errors that the handler passes to its callback, or that its stream emits if it has no callback. */
function observedCallback(
  observer: HandlerObserver,
  call: HandlerCall,
  callback: Callback | undefined,
): Callback | undefined {
  if (callback === undefined) {
    call.once(errorMonitor, (error) => observer.failed(error));
    return undefined;
  }
  return (error, ...rest) => {
    if (error) observer.failed(error);
    callback(error, ...rest);
  };
}
