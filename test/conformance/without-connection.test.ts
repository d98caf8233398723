import { EventEmitter } from "node:events";
import type http from "node:http";

import { type Context, current, DeadlineExceeded } from "@throughline/context";
import { errorHandler, requestContext as expressContext } from "@throughline/express";
import { requestContext, ResponseSent } from "@throughline/http";
import express from "express";
import express4 from "express4";
import inject from "light-my-request";
import { createRequest, createResponse } from "node-mocks-http";
import serverless from "serverless-http";
import { describe, expect, it, vi } from "vitest";

type Handle = (res: http.ServerResponse) => void;

/**
 * Libraries that make requests without a connection, for tests and for serverless functions. Each returns the status.
 */
const ways: readonly [string, (listener: http.RequestListener) => Promise<number>][] = [
  [
    "serverless-http",
    async (listener) => {
      const event = { httpMethod: "GET", path: "/", headers: {}, requestContext: {} };
      return ((await serverless(listener)(event, {})) as { statusCode: number }).statusCode;
    },
  ],
  [
    "node-mocks-http",
    async (listener) => {
      const req = createRequest({ method: "GET", url: "/" });
      const res = createResponse({ eventEmitter: EventEmitter, req });
      const ended = new Promise((resolve) => res.on("end", resolve));
      listener(req as unknown as http.IncomingMessage, res as unknown as http.ServerResponse);
      await ended;
      return res.statusCode;
    },
  ],
  // Last, because it leaves Express with responses that only work with it.
  ["light-my-request", async (listener) => (await inject(listener as never, { method: "GET", url: "/" })).statusCode],
];

function expressWith(framework: typeof express, handle: Handle): http.RequestListener {
  const app = framework();
  app.use(expressContext({ maxTimeout: 60 }));
  app.get("/", (_req, res) => handle(res));
  app.use(errorHandler());
  return app;
}

const hosts: readonly [string, (handle: Handle) => http.RequestListener][] = [
  ["Express 5", (handle) => expressWith(express, handle)],
  ["Express 4", (handle) => expressWith(express4 as typeof express, handle)],
  ["node:http", (handle) => requestContext((_req, res: http.ServerResponse) => handle(res), { maxTimeout: 60 })],
];

describe.each(ways)("a request made by %s", (_way, ask) => {
  describe.each(hosts)("to %s", (_host, listenerOf) => {
    it.each<[string, Handle, number, new () => Error]>([
      ["in time: its context ends with the response", (res) => void res.end("ok"), 200, ResponseSent],
      ["late: its deadline is answered 504 and ends its context", () => {}, 504, DeadlineExceeded],
    ])("is answered %s", async (_when, handle, status, cause) => {
      let ctx: Context | undefined;
      const listener = listenerOf((res) => {
        ctx = current();
        handle(res);
      });

      expect(await ask(listener)).toBe(status);
      await vi.waitUntil(() => ctx?.err());
      expect(ctx!.cause()).toBeInstanceOf(cause);
    });
  });
});
