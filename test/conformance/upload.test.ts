import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { SpanStatusCode } from "@opentelemetry/api";
import { type Context, current } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { ClientDisconnected } from "@throughline/http";
import express from "express";
import express4 from "express4";
import { afterEach, describe, expect, it, vi } from "vitest";

import { send, type Sent } from "../support/client.ts";
import { serveOn } from "../support/serving.ts";
import { recordSpans, type Spans } from "../support/spans.ts";
import { hosts, type Received } from "./hosts/index.ts";

/** Ways in which a handler reads a body to its end. */
const readings: readonly [how: string, read: (received: Received) => Promise<unknown>][] = [
  [
    "with for await",
    async ({ body }) => {
      for await (const _chunk of body() as AsyncIterable<unknown>);
    },
  ],
  ["in a pipeline", ({ body }) => copy(body(), (_chunk, done) => done())],
  ["as text", ({ text }) => text()],
  // As busboy does, and with it multer.
  [
    "with a parser that has words of its own for a body that ends early",
    async ({ body }) => {
      const stream = body()!;
      if (stream instanceof Readable) {
        await new Promise<void>((resolve, reject) => {
          stream.on("end", resolve).on("error", () => {});
          stream.on("close", () => reject(new Error("Unexpected end of form"))).resume();
        });
      } else {
        await stream.pipeTo(new WritableStream()).catch(() => Promise.reject(new Error("Unexpected end of form")));
      }
    },
  ],
];

/** Copies a body into a sink, as a handler does that stores it. */
async function copy(
  body: ReturnType<Received["body"]>,
  write: (chunk: unknown, done: (error?: Error) => void) => void,
): Promise<void> {
  if (body instanceof Readable) {
    await pipeline(body, new Writable({ write: (chunk, _encoding, done) => write(chunk, done) }));
  } else {
    const put = (chunk: unknown): Promise<void> =>
      new Promise((resolve, reject) => write(chunk, (error) => (error === undefined ? resolve() : reject(error))));
    await body!.pipeTo(new WritableStream({ write: put }));
  }
}

async function expectClient(spans: Spans, ctx: Context): Promise<void> {
  const [span] = await spans.take(1);
  expect(span!.attributes).toMatchObject({ "throughline.ended_by": "client" });
  expect(span!.attributes).not.toHaveProperty("error.type");
  expect(span!.attributes).not.toHaveProperty("http.response.status_code");
  expect(span!.status.code).toBe(SpanStatusCode.UNSET);
  expect(ctx.cause()).toBeInstanceOf(ClientDisconnected);
}

/** Long enough for an error to come where it must not. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 15));

describe.each(hosts)("$name, to which a client uploads", (host) => {
  const { servingWith } = serveOn(host);
  const spans = recordSpans();

  /** A server, a client that has sent the beginning of its body, and what has come of both. */
  async function uploading(
    handle: (received: Received) => Promise<unknown>,
    onError?: (error: unknown) => void | Promise<void>,
  ) {
    const errors: unknown[] = [];
    const [running, failed] = [Promise.withResolvers<Context>(), Promise.withResolvers<unknown>()];
    const url = await servingWith(
      async (received) => {
        running.resolve(current());
        try {
          await handle(received);
        } catch (error) {
          failed.resolve(error);
          throw error;
        }
        return "it was whole";
      },
      { onError: (error) => (errors.push(error), onError?.(error)) },
    );
    const sent = send(host.protocol, url, {}, { method: "POST" });
    sent.reply.catch(() => {});
    sent.body.on("error", () => {});
    sent.body.write("half of it");
    return { sent, errors, ctx: await running.promise, failed: failed.promise };
  }

  describe.each<[string, (sent: Sent) => void]>([
    ["leaves", (sent) => sent.leave()],
    ["is lost with its connection", (sent) => sent.drop()],
  ])("a client that %s", (_how, leave) => {
    it.each(readings)("while its body is read %s is what ended the request, and no error", async (_reading, read) => {
      const { sent, errors, ctx, failed } = await uploading(read);
      await settled();
      leave(sent);

      // Over HTTP/2 Node tells listeners of an end, after `aborted`.
      if (host.protocol === "http/1.1") expect(await failed).toBeInstanceOf(Error);
      await expectClient(spans, ctx);
      await settled();
      expect(errors).toEqual([]);
    });
  });

  it("an error of the application's that comes when the client has left reaches the application", async () => {
    const bug = new Error("a bug");
    const { sent, errors, ctx } = await uploading(async () => {
      await new Promise((resolve) => current().signal.addEventListener("abort", resolve));
      throw bug;
    });
    sent.leave();

    await vi.waitUntil(() => errors.length > 0);
    expect(errors).toEqual([bug]);
    await expectClient(spans, ctx);
  });

  it("an error of the handler's is what ended the request, though its client has left before that was answered", async () => {
    const bug = new RangeError("a bug");
    const left = Promise.withResolvers<void>();
    const { sent, errors } = await uploading(
      () => Promise.reject(bug),
      () => left.promise,
    );
    await vi.waitUntil(() => errors.length > 0);
    sent.leave();

    const [span] = await spans.take(1);
    left.resolve();
    expect(errors).toEqual([bug]);
    expect(span!.attributes).toMatchObject({ "throughline.ended_by": "error", "error.type": "RangeError" });
    expect(span!.status.code).toBe(SpanStatusCode.ERROR);
  });

  it("a body that cannot be stored is an error, as the client is still there", async () => {
    const full = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    const { errors, failed } = await uploading(({ body }) => copy(body(), (_chunk, done) => done(full)));

    expect(await failed).toBe(full);
    const [span] = await spans.take(1);
    await vi.waitUntil(() => errors.length > 0);
    expect(errors).toEqual([full]);
    expect(span!.attributes["throughline.ended_by"]).not.toBe("client");
    expect([span!.attributes["error.type"], span!.status.code]).toEqual(["Error", SpanStatusCode.ERROR]);
  });
});

describe.each([
  ["Express 5", express],
  ["Express 4", express4 as typeof express],
])("%s, to which a client uploads", (_name, framework) => {
  const spans = recordSpans();
  let server: http.Server | undefined;
  afterEach(() => server?.close());

  it.each<[string, express.RequestHandler, string]>([
    ["json", framework.json(), "application/json"],
    ["raw", framework.raw(), "application/octet-stream"],
    ["text", framework.text(), "text/plain"],
    ["urlencoded", framework.urlencoded({ extended: false }), "application/x-www-form-urlencoded"],
  ])(
    "a client that leaves while express.%s reads is what ended the request, and no error",
    async (_which, parser, type) => {
      const running = Promise.withResolvers<Context>();
      const errors: unknown[] = [];
      const app = framework();
      app.use(requestContext(), (_req, _res, next) => (running.resolve(current()), next()), parser);
      app.use(errorHandler());
      app.use(((error, _req, _res, _next) => void errors.push(error)) as express.ErrorRequestHandler);
      server = http.createServer(app).listen(0, "127.0.0.1");
      await new Promise((resolve) => server!.once("listening", resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const sent = send("http/1.1", url, { "content-type": type }, { method: "POST" });
      sent.reply.catch(() => {});
      sent.body.write('{"half":');
      const ctx = await running.promise;
      await settled();
      sent.leave();

      await expectClient(spans, ctx);
      await settled();
      expect(errors).toEqual([]);
    },
  );
});
