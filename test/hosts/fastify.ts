import { guard as guarded, requestContext } from "@throughline/fastify";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

import { APPLICATION_ERROR, type Handler, type Host } from "./host.ts";
import { receivedByNode } from "./received.ts";

/** The route is in an encapsulated scope, which has the inner request context. */
export const onFastify: Host["listener"] = (handler, { options, inner, guard, onError }) => {
  // Requests are those of the test's own server, so Fastify's listens to none.
  const app: FastifyInstance = fastify({ forceCloseConnections: false });
  // Handlers read the body of the request themselves.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  app.register(requestContext, options ?? {});
  app.register(
    (scope, _options, done) => {
      if (inner !== undefined) scope.register(requestContext, inner);
      scope.after(() => {
        const preHandler = guard === undefined ? [] : [guarded(guard)];
        scope.all("/:id", { preHandler }, (request, reply) => answer(handler, request, reply));
      });
      done();
    },
    { prefix: "/items" },
  );
  app.setErrorHandler(async (error, _request, reply) => {
    await onError?.(error);
    return reply.code(500).send(APPLICATION_ERROR);
  });
  const ready = app.ready();
  return { on: "request", listener: (req, res) => void ready.then(() => app.routing(req, res)) };
};

async function answer(handler: Handler, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const body = await handler(receivedByNode(request.raw, reply.raw, request.body, request.headers));
  if (body === undefined) reply.hijack();
  return body;
}
