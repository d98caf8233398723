import { type CallHandler, type ExecutionContext, Injectable, Logger, type NestInterceptor } from "@nestjs/common";
import { current } from "@throughline/context";
import { type Observable, tap } from "rxjs";

import { tenant } from "./tenant.ts";

/** Logs each request with its tenant, and with the time that it had left or the error that ended it. */
@Injectable()
export class RequestLog implements NestInterceptor {
  readonly #logger = new Logger(RequestLog.name);

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method, url } = execution.switchToHttp().getRequest<{ method: string; url: string }>();
    const request = `${method} ${url} of ${tenant()}`;
    return next.handle().pipe(
      tap({
        complete: () => this.#logger.log(`${request}: ${Math.round(current().remaining())} ms left`),
        error: (error: Error) => this.#logger.warn(`${request}: ${error.message}`),
      }),
    );
  }
}
