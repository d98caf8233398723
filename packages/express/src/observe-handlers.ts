import { type ServerRequest, serverRequestOf } from "@throughline/http/adapter";

import { type Application, stackOf } from "./mount.ts";

type Next = (error?: unknown) => void;
type RequestHandler = (req: object, res: object, next: Next) => unknown;
type ErrorHandler = (error: unknown, req: object, res: object, next: Next) => unknown;

/** A step of a router's stack: the methods that call its handler, by their names in Express 4 and 5. */
interface Layer {
  readonly handle: RequestHandler | ErrorHandler;
  handle_request?: (this: Layer, req: object, res: object, next: Next) => void;
  handle_error?: (this: Layer, error: unknown, req: object, res: object, next: Next) => void;
  handleRequest?: (this: Layer, req: object, res: object, next: Next) => void;
}

/** Prototypes of layers that have been seen: one for each installed copy of Express. */
const known = new WeakSet<object>();
let latest: Application | undefined;

/**
 * Looks at the promises that handlers return, which Express keeps to itself.
 *
 * - Express 4 drops them: a client that leaves makes a handler reject, and the unhandled rejection would end the process. Within a request of ours they
 *   go to `next`, as in Express 5.
 * - Admission counts a request as running until its handlers are done.
 *
 * Handlers of requests without a context of ours are called as ever.
 */
export function observeHandlers(app: Application | undefined): void {
  if (app === undefined || app === latest) return;
  const [layer] = stackOf(app);
  if (layer === undefined) return;
  latest = app;
  const prototype = Object.getPrototypeOf(layer) as Layer;
  if (known.has(prototype)) return;
  known.add(prototype);
  if (typeof prototype.handleRequest === "function") observeExpress5(prototype);
  else if (typeof prototype.handle_request === "function") observeExpress4(prototype);
}

function observeExpress5(prototype: Layer): void {
  const handleRequest = prototype.handleRequest!;
  prototype.handleRequest = function (req, res, next) {
    const serverRequest = serverRequestOf(req);
    if (serverRequest?.isTracked !== true || this.handle.length > 3) return handleRequest.call(this, req, res, next);
    const handle = this.handle as RequestHandler;
    const tracked: RequestHandler = (...args) => {
      const result = handle(...args);
      if (isPromise(result)) serverRequest.track(result);
      return result;
    };
    // A function of rest parameters has the length 0, by which Express takes it for a handler of requests.
    handleRequest.call(Object.create(this, { handle: { value: tracked } }) as Layer, req, res, next);
  };
}

function observeExpress4(prototype: Layer): void {
  const { handle_request, handle_error } = prototype as Required<Layer>;
  // express-async-errors does the same to handlers, by an accessor of this name.
  const isDone = Object.getOwnPropertyDescriptor(prototype, "handle")?.set !== undefined;
  prototype.handle_request = function (req, res, next) {
    const serverRequest = serverRequestOf(req);
    if (serverRequest === undefined || this.handle.length > 3) return handle_request.call(this, req, res, next);
    call(() => (this.handle as RequestHandler)(req, res, next), serverRequest, next, isDone);
  };
  prototype.handle_error = function (error, req, res, next) {
    const serverRequest = serverRequestOf(req);
    if (serverRequest === undefined || this.handle.length !== 4) return handle_error.call(this, error, req, res, next);
    call(() => (this.handle as ErrorHandler)(error, req, res, next), serverRequest, next, isDone);
  };
}

function call(handle: () => unknown, serverRequest: ServerRequest, next: Next, isDone: boolean): void {
  try {
    const result = handle();
    if (!isPromise(result)) return;
    serverRequest.track(result);
    if (!isDone) result.then(undefined, (error: unknown) => next(error ?? new Error("Rejected promise")));
  } catch (error) {
    next(error);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
