import type { IncomingMessage, ServerResponse } from "node:http";

import { type ArgumentsHost, Catch, type ExceptionFilter, type Type } from "@nestjs/common";
import { current } from "@throughline/context";
import { answerError } from "@throughline/fastify";
import { classifyError, hostResponseOf, problemOf, sendProblem, serverRequestIn } from "@throughline/http/adapter";

type FastifyRequest = Parameters<typeof answerError>[1];
type FastifyReply = Parameters<typeof answerError>[2];

/**
 * The errors that the filter answers: those of this library, also as the cause of another error, and those that result
 * from the end of the request. Nest selects a filter by `instanceof`.
 */
const answeredErrors = {
  [Symbol.hasInstance](error: unknown): boolean {
    const serverRequest = serverRequestIn(current());
    return serverRequest !== undefined && (problemOf(error) !== undefined || serverRequest.canIgnore(error));
  },
};

/**
 * Exception filter that answers the errors of this library with a problem document: a deadline that passed with 504,
 * overload with 503, `Unauthenticated` with 401, `Forbidden` with 403. Nest logs none of them. A cancellation is
 * ignored if the client has left. All other errors go to the other filters. The module adds it.
 */
export class ContextExceptionFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): unknown {
    // A filter for GraphQL returns the error to report.
    if (host.getType<string>() !== "http") return error;
    const [request, response] = host.getArgs<[object, object]>();
    if ("hijack" in response) {
      const reply = response as FastifyReply;
      if (!answerError(error, request as FastifyRequest, reply)) hostResponseOf(reply.request.raw, reply.raw).destroy();
      return undefined;
    }
    const [req, res] = [request as IncomingMessage, response as ServerResponse];
    const disposition = classifyError(error, req, res);
    // The response has begun: the client must not take a part for the whole.
    if (disposition === "pass") hostResponseOf(req, res).destroy();
    else if (disposition !== "gone") sendProblem(req, res, disposition, true);
    return undefined;
  }
}

Catch(answeredErrors as unknown as Type)(ContextExceptionFilter);
