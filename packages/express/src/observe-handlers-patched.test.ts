// In a file of its own, because it patches the layers of Express for the whole process.
import type express5 from "express";
import express4 from "express4";
import request from "supertest";
import { expect, it, vi } from "vitest";

import { requestContext } from "./index.ts";

it("a rejection is handled once if Express 4 is also patched by another library, such as express-async-errors", async () => {
  const app = (express4 as typeof express5)();
  app.use((_req, _res, next) => next());
  const { stack } = (app as unknown as { _router: { stack: object[] } })._router;
  handleRejections(Object.getPrototypeOf(stack[0]) as object);
  const handler = vi.fn<express5.ErrorRequestHandler>((error, _req, res, _next) => void res.end(String(error)));
  app.use(requestContext());
  app.get("/", async () => {
    await null;
    throw new Error("a bug");
  });
  const second = vi.fn<express5.ErrorRequestHandler>((_error, _req, _res, _next) => {});
  app.use(handler, second);

  expect((await request(app).get("/")).text).toBe("Error: a bug");
  await new Promise(setImmediate);
  expect(handler).toHaveBeenCalledOnce();
  expect(second).not.toHaveBeenCalled();
});

/** Wraps all handlers of layers, as express-async-errors does. */
function handleRejections(layer: object): void {
  const handlers = new WeakMap<object, unknown>();
  Object.defineProperty(layer, "handle", {
    configurable: true,
    get(this: object) {
      return handlers.get(this);
    },
    set(this: object, handler: (...args: unknown[]) => unknown) {
      const handling = (...args: unknown[]): unknown => {
        const result = handler.apply(undefined, args);
        const next = args.at(-1) as (error?: unknown) => void;
        if (result instanceof Promise) result.catch((error: unknown) => next(error));
        return result;
      };
      Object.defineProperty(handling, "length", { value: handler.length });
      handlers.set(this, handling);
    },
  });
}
