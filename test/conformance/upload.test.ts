import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { SpanStatusCode } from "@opentelemetry/api";
import { type Context, current } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { ClientDisconnected } from "@throughline/http";
import express from "express";
import express4 from "express4";
import { describe, expect, it, vi } from "vitest";

import { hosts, type Received } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { type Sent, send } from "../support/http-client.ts";
import { cleanUpAfterEach, serve } from "../support/loopback.ts";
import { recordSpans, type Spans } from "../support/spans.ts";

/** Ways in which a handler reads a complete body. */
const readings: readonly [how: string, read: (received: Received) => Promise<unknown>][] = [
  [
    "with for await",
    async ({ body }) => {
      for await (const _chunk of body() as AsyncIterable<unknown>);
    },
  ],
  ["in a pipeline", ({ body }) => copy(body(), (_chunk, done) => done())],
  ["as text", ({ text }) => text()],
  // Like busboy, which multer uses.
  [
    "with a parser that has its own error for an incomplete body",
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

/** Copies a body into a sink, like a handler that stores it. */
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

/** Long enough for an unwanted error to arrive. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 15));

describe.each(hosts)("$name, during an upload", (host) => {
  const { servingWith } = serveOn(host);
  const spans = recordSpans();

  /** A server, and a client that has sent the first part of its body. */
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
        return "complete";
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
    ["disconnects", (sent) => sent.leave()],
    ["loses its connection", (sent) => sent.drop()],
  ])("a client that %s", (_how, leave) => {
    it.each(readings)("while its body is read %s ended the request, which is not an error", async (_reading, read) => {
      const { sent, errors, ctx, failed } = await uploading(read);
      await settled();
      leave(sent);

      // Over HTTP/2, Node emits `end` after `aborted`.
      if (host.protocol === "http/1.1") expect(await failed).toBeInstanceOf(Error);
      await expectClient(spans, ctx);
      await settled();
      expect(errors).toEqual([]);
    });
  });

  it("an error of the handler after the disconnect reaches the application", async () => {
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

  it("an error of the handler ended the request, even if the client disconnects before the response", async () => {
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

  it("a body that cannot be stored is an error while the client is connected", async () => {
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
])("%s, during an upload", (_name, framework) => {
  const spans = recordSpans();
  cleanUpAfterEach();

  it.each<[string, express.RequestHandler, string]>([
    ["json", framework.json(), "application/json"],
    ["raw", framework.raw(), "application/octet-stream"],
    ["text", framework.text(), "text/plain"],
    ["urlencoded", framework.urlencoded({ extended: false }), "application/x-www-form-urlencoded"],
  ])(
    "a client that disconnects while express.%s reads ended the request, which is not an error",
    async (_which, parser, type) => {
      const running = Promise.withResolvers<Context>();
      const errors: unknown[] = [];
      const app = framework();
      app.use(requestContext(), (_req, _res, next) => (running.resolve(current()), next()), parser);
      app.use(errorHandler());
      app.use(((error, _req, _res, _next) => void errors.push(error)) as express.ErrorRequestHandler);
      const { url } = await serve(app);
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
