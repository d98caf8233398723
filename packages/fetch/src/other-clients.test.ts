import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";

import { afterFunc, background, current, run, withTimeout } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { atEnd, cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import express from "express";
import got from "got";
import { createProxyMiddleware } from "http-proxy-middleware";
import { expect, it } from "vitest";

import { defaultDialects, outboundHeaders } from "./index.ts";

// The code of docs/clients.md, over real connections.

cleanUpAfterEach();

const answerTimeout: http.RequestListener = (req, res) => void res.end(String(req.headers["grpc-timeout"]));

const twoSeconds = <T>(fn: () => T): T => run(withTimeout(background, "2s")[0], fn);

it("node:http sends the remaining time", async () => {
  const { url } = await serve(answerTimeout);
  const get = (): http.ClientRequest => {
    const ctx = current();
    return http.get(url, { headers: outboundHeaders(ctx, url), signal: ctx.signal });
  };
  const [response] = (await once(twoSeconds(get), "response")) as [IncomingMessage];

  expect((await response.setEncoding("utf8").toArray()).join("")).toMatch(/^19\d\dm$/);
});

it("got sends the remaining time", async () => {
  const { url } = await serve(answerTimeout);
  const client = got.extend({
    hooks: {
      init: [(_raw, options) => void (options.signal = current().signal)],
      beforeRequest: [(options) => void Object.assign(options.headers, outboundHeaders(current(), options.url as URL))],
    },
  });

  expect(await twoSeconds(() => client(url).text())).toMatch(/^19\d\dm$/);
});

it("a proxy sends the remaining time in place of the caller's", async () => {
  const { url: target } = await serve(answerTimeout);
  const app = express();
  app.use(requestContext({ maxTimeout: "2s" }));
  app.use(
    createProxyMiddleware({
      target,
      on: {
        proxyReq(forwarded) {
          const ctx = current();
          for (const { header } of defaultDialects) forwarded.removeHeader(header);
          for (const [name, value] of Object.entries(outboundHeaders(ctx, target))) forwarded.setHeader(name, value);
          afterFunc(ctx, () => forwarded.destroy());
        },
      },
    }),
  );
  app.use(errorHandler());
  const server = app.listen(0, "127.0.0.1");
  atEnd(() => new Promise((resolve) => server.close(resolve)));
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    headers: { "grpc-timeout": "10S", connection: "close" },
  });

  expect(await response.text()).toMatch(/^19\d\dm$/);
});
