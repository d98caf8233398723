import { type CallHandler, type ExecutionContext, type NestInterceptor, StreamableFile } from "@nestjs/common";
import { type Context, current } from "@throughline/context";
import { runRequest } from "@throughline/context/internal";
import { readInContext, type ServerRequest, serverRequestIn } from "@throughline/http/adapter";
import { finalize, Observable, tap } from "rxjs";

/**
 * Enters the context of the last guard, as guards cannot do it themselves: later interceptors, pipes and the handler run
 * in it. It also reports the errors of handlers, and to admission control that a handler has settled. The module adds it.
 */
export class ContextInterceptor implements NestInterceptor {
  intercept(_execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const serverRequest = serverRequestIn(current());
    if (serverRequest === undefined) return next.handle();
    const { entered } = serverRequest;
    const observed = (): Observable<unknown> =>
      next.handle().pipe(
        tap({
          next: (value) => readStream(entered, value),
          // A filter of the application may answer it.
          error: (error: unknown) => serverRequest.fail(error),
        }),
      );
    const result =
      entered === current()
        ? observed()
        : // Subscribed in the context, in which interceptors then get the result too.
          new Observable((subscriber) => runRequest(entered, () => observed().subscribe(subscriber)));
    return serverRequest.isTracked ? tracked(serverRequest, result) : result;
  }
}

function readStream(ctx: Context, value: unknown): void {
  if (typeof value === "object") readInContext(ctx, value instanceof StreamableFile ? value.getStream() : value);
}

function tracked(serverRequest: ServerRequest, result: Observable<unknown>): Observable<unknown> {
  const { promise, resolve } = Promise.withResolvers<void>();
  serverRequest.track(promise);
  return result.pipe(finalize(resolve));
}
