import { type Context, hasDeadline, onEndFirst } from "@throughline/context";

import { removeActiveRequest } from "../node/connections.ts";
import type { HostResponse } from "./host-response.ts";
import type { ServerRequest } from "./server-request.ts";

/** Has the request end with its response: it is out, or the client has gone away before. */
export function trackResponse(serverRequest: ServerRequest, hostResponse: HostResponse): void {
  hostResponse.onceClosed(() => {
    removeActiveRequest(serverRequest);
    const { isDelivered, status } = hostResponse;
    if (!isDelivered) serverRequest.fail(hostResponse.error);
    serverRequest.end({ isDelivered, status });
  });
}

/**
 * Has a deadline that passes while the handler runs answered without it: before anybody is told, as a stream that listens to the signal would
 * break the response off.
 *
 * @param ctx the request's own context, or one with an earlier deadline
 */
export function answerAtDeadline(serverRequest: ServerRequest, ctx: Context): void {
  if (hasDeadline(ctx)) serverRequest.onEnd(onEndFirst(ctx, serverRequest));
}
