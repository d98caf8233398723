import type { RequestListener } from "node:http";
import { Readable } from "node:stream";

import {
  All,
  type ArgumentsHost,
  Catch,
  Controller,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  Req,
  Res,
  StreamableFile,
  UseGuards,
} from "@nestjs/common";
import { type AbstractHttpAdapter, NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { ContextModule, guard as guarded, requestContext } from "@throughline/nest";
import type express from "express";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

import { APPLICATION_ERROR, type Handler, type Host, type Setup } from "./host.ts";
import { receivedByNode } from "./received.ts";

/** The root module. Decorators are applied as functions: they are legacy syntax, which only this host would need. */
function moduleFor(handler: Handler, { options, inner, guard }: Setup): new () => object {
  class Items {
    async item(request: express.Request | FastifyRequest, response: express.Response | FastifyReply): Promise<unknown> {
      const [req, res] = [
        "raw" in request ? request.raw : request,
        "raw" in response ? response.raw : response,
      ] as const;
      const body = await handler(receivedByNode(req, res));
      if (typeof body === "string") return body;
      // Nest would send a response of its own.
      if (body === undefined) return new Promise(() => {});
      const stream = body instanceof Readable ? body : Readable.fromWeb(body as never);
      return new StreamableFile(stream, { type: "text/plain" });
    }
  }
  const method = Object.getOwnPropertyDescriptor(Items.prototype, "item")!;
  All(":id")(Items.prototype, "item", method);
  Req()(Items.prototype, "item", 0);
  Res({ passthrough: true })(Items.prototype, "item", 1);
  if (guard !== undefined) UseGuards(guarded(guard))(Items.prototype, "item", method);
  Controller("items")(Items);

  class Application {
    configure(consumer: MiddlewareConsumer): void {
      if (inner !== undefined) consumer.apply(requestContext(inner)).forRoutes(Items);
    }
  }
  Module({ imports: [ContextModule.forRoot(options)], controllers: [Items] })(Application);
  return Application;
}

/** The application's own filter, for all errors. */
function filterFor(onError: Setup["onError"]): object {
  class OwnFilter {
    async catch(error: unknown, host: ArgumentsHost): Promise<void> {
      await onError?.(error);
      host.switchToHttp().getResponse<express.Response & FastifyReply>().status(500).send(APPLICATION_ERROR);
    }
  }
  Catch()(OwnFilter);
  return new OwnFilter();
}

function listenerWith(
  adapterOf: () => AbstractHttpAdapter,
  listenerOf: (app: INestApplication) => Promise<RequestListener>,
): Host["listener"] {
  return (handler, setup) => {
    async function start(): Promise<RequestListener> {
      const app = await NestFactory.create(moduleFor(handler, setup), adapterOf(), {
        logger: false,
        bodyParser: false,
      });
      app.useGlobalFilters(filterFor(setup.onError) as never);
      return listenerOf(app);
    }
    const started = start();
    return { on: "request", listener: (req, res) => void started.then((listener) => listener(req, res)) };
  };
}

export const onNestExpress: Host["listener"] = listenerWith(
  () => new ExpressAdapter(),
  async (app) => {
    await app.init();
    return app.getHttpAdapter().getInstance() as RequestListener;
  },
);

export const onNestFastify: Host["listener"] = listenerWith(
  () => new FastifyAdapter(),
  async (app) => {
    const instance = app.getHttpAdapter().getInstance() as FastifyInstance;
    // Handlers read the body of the request themselves.
    instance.removeAllContentTypeParsers();
    instance.addContentTypeParser("*", (_request, _payload, done) => done(null));
    await app.init();
    await instance.ready();
    return (req, res) => instance.routing(req, res);
  },
);
