import { type ServerRequest, serverRequestOf } from "@throughline/http/adapter";

import { type Application, stackOf } from "./route.ts";

type Next = (error?: unknown) => void;
type RequestHandler = (req: object, res: object, next: Next) => unknown;
type ErrorHandler = (error: unknown, req: object, res: object, next: Next) => unknown;

/** An element of a router's stack, with the methods that call its handler in Express 4 (`_`) and 5. */
interface Layer {
  readonly handle: RequestHandler | ErrorHandler;
  handle_request?: (this: Layer, req: object, res: object, next: Next) => void;
  handle_error?: (this: Layer, error: unknown, req: object, res: object, next: Next) => void;
  handleRequest?: (this: Layer, req: object, res: object, next: Next) => void;
}

/** The patched prototypes of layers: one for each installed copy of Express. */
const patched = new WeakSet<object>();
let latest: Application | undefined;

/**
 * Observes the promises that handlers return, by patching the class of router layers. Express does not expose them.
 *
 * - Express 4 ignores them: a handler that rejects, for example because the client has left, causes an unhandled
 *   rejection, which ends the process. Within a request of `requestContext`, rejections are passed to `next`, as in
 *   Express 5.
 * - Admission control counts a request as running until its handlers have settled.
 *
 * Handlers of requests outside of `requestContext` are called as before.
 */
export function observeHandlers(app: Application | undefined): void {
  if (app === undefined || app === latest) return;
  const [layer] = stackOf(app);
  if (layer === undefined) return;
  latest = app;
  const prototype = Object.getPrototypeOf(layer) as Layer;
  if (patched.has(prototype)) return;
  patched.add(prototype);
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
    // A function with rest parameters has the length 0, so Express treats it as a request handler, not an error
    // handler.
    handleRequest.call(Object.create(this, { handle: { value: tracked } }) as Layer, req, res, next);
  };
}

function observeExpress4(prototype: Layer): void {
  const { handle_request, handle_error } = prototype as Required<Layer>;
  // express-async-errors passes rejections to `next` as well, through an accessor with this name.
  const handlesRejections = Object.getOwnPropertyDescriptor(prototype, "handle")?.set !== undefined;
  prototype.handle_request = function (req, res, next) {
    const serverRequest = serverRequestOf(req);
    if (serverRequest === undefined || this.handle.length > 3) return handle_request.call(this, req, res, next);
    call(() => (this.handle as RequestHandler)(req, res, next), serverRequest, next, handlesRejections);
  };
  prototype.handle_error = function (error, req, res, next) {
    const serverRequest = serverRequestOf(req);
    if (serverRequest === undefined || this.handle.length !== 4) return handle_error.call(this, error, req, res, next);
    call(() => (this.handle as ErrorHandler)(error, req, res, next), serverRequest, next, handlesRejections);
  };
}

function call(handle: () => unknown, serverRequest: ServerRequest, next: Next, handlesRejections: boolean): void {
  try {
    const result = handle();
    if (!isPromise(result)) return;
    serverRequest.track(result);
    if (!handlesRejections) result.then(undefined, (error: unknown) => next(error ?? new Error("Rejected promise")));
  } catch (error) {
    next(error);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
