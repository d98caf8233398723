import { connect } from "node:net";
import { Readable } from "node:stream";

import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import {
  background,
  Canceled,
  type Context,
  current,
  DeadlineExceeded,
  run,
  withCancel,
  withoutCancel,
} from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { ClientDisconnected, ResponseSent, type ServerOptions, traceId } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { afterEach, describe, expect, it, vi } from "vitest";

import { fetchHead, type Reply, send } from "../support/client.ts";
import { recordSpans } from "../support/spans.ts";
import { type Handler, hosts, serve, type Served } from "./hosts.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;

/** A body that begins, and goes on for ever. */
function endless(): Readable {
  return Readable.from(
    (async function* () {
      for (;;) {
        yield Buffer.from("more ");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })(),
  );
}

describe.each(hosts)("$name", (host) => {
  const cleanups: Served[] = [];
  afterEach(async () => {
    for (const served of cleanups.splice(0)) await served.close();
  });

  async function serving(handler: Handler, options?: ServerOptions): Promise<string> {
    const served = await serve(host, handler, options);
    cleanups.push(served);
    return served.url;
  }

  /** Answers one request, and gives the context that it ran in. */
  async function answer(
    headers: Record<string, string | string[]>,
    options?: ServerOptions,
    handler: Handler = () => "ok",
  ): Promise<{ reply: Reply; ctx?: Context; remaining?: number }> {
    const seen: { ctx?: Context; remaining?: number } = {};
    const url = await serving(() => {
      seen.ctx = current();
      seen.remaining = seen.ctx.remaining();
      return handler();
    }, options);
    return { reply: await send(host.protocol, url, headers).reply, ...seen };
  }

  describe("the deadline", () => {
    it("is what the caller sent", async () => {
      const { reply, remaining } = await answer({ "grpc-timeout": "2S" });

      expect(reply.body).toBe("ok");
      expect(remaining).toBeGreaterThan(1500);
      expect(remaining).toBeLessThanOrEqual(2000);
    });

    it("is the least of all headers that are sent", async () => {
      const { remaining } = await answer({
        "grpc-timeout": "9S",
        "connect-timeout-ms": "3000",
        "x-envoy-expected-rq-timeout-ms": "6000",
      });

      expect(remaining).toBeGreaterThan(2500);
      expect(remaining).toBeLessThanOrEqual(3000);
    });

    it("is cut to the server's limit, and never extended by a caller", async () => {
      const { remaining } = await answer({ "grpc-timeout": "99999999H" }, { maxTimeout: "2s" });

      expect(remaining).toBeLessThanOrEqual(2000);
    });

    it("is the default for a caller that sends none", async () => {
      const { remaining } = await answer({}, { defaultTimeout: "2s", maxTimeout: "1m" });

      expect(remaining).toBeGreaterThan(1500);
      expect(remaining).toBeLessThanOrEqual(2000);
    });

    it("is absent where nobody sets one", async () => {
      expect((await answer({})).remaining).toBe(Infinity);
    });

    it("that has passed on arrival is answered 504, and the handler does not run", async () => {
      const { reply, ctx } = await answer({ "grpc-timeout": "0m" });

      expect(reply.status).toBe(504);
      expect(reply.headers["content-type"]).toMatch("application/problem+json");
      expect(reply.headers["throughline-outcome"]).toBe("deadline-exceeded;started=?0");
      expect(reply.json()).toMatchObject({
        title: "Deadline exceeded",
        status: 504,
        budgetMs: 0,
        setBy: "grpc-timeout header",
      });
      expect(ctx).toBeUndefined();
    });

    it("that leaves less than minBudget is answered 504, and the handler does not run", async () => {
      const { reply, ctx } = await answer({ "grpc-timeout": "40m" }, { minBudget: "50ms" });

      expect(reply.status).toBe(504);
      expect(ctx).toBeUndefined();
    });

    it("that passes in the handler is answered 504, with the budget and who set it", async () => {
      const { reply, ctx } = await answer({ "grpc-timeout": "30m" }, {}, async () => {
        await sleep(current(), "10s");
        return "too late";
      });

      expect(reply.status).toBe(504);
      expect(reply.headers["throughline-outcome"]).toBe("deadline-exceeded;started=?1");
      expect(reply.json()).toMatchObject({ budgetMs: 30, setBy: "grpc-timeout header" });
      expect(reply.json()["elapsedMs"]).toBeGreaterThanOrEqual(30);
      expect(ctx?.err()).toBeInstanceOf(DeadlineExceeded);
    });

    it("that passes while the handler does not listen is answered 504 all the same, and what it does later has no effect", async () => {
      const late = Promise.withResolvers<void>();
      let isDone = false;
      const url = await serving(async () => {
        await late.promise;
        isDone = true;
        return "too late";
      });
      const from = performance.now();
      const reply = await send(host.protocol, url, { "grpc-timeout": "40m" }).reply;

      expect(reply.status).toBe(504);
      expect(reply.json()).toMatchObject({ budgetMs: 40, setBy: "grpc-timeout header" });
      expect(performance.now() - from).toBeLessThan(1000);
      late.resolve();
      await vi.waitUntil(() => isDone);
      await new Promise(setImmediate);
      // The server is none the worse for it.
      expect((await send(host.protocol, url).reply).body).toBe("too late");
    });

    it("that passes in the middle of a body breaks it off: it does not end as if it were whole", async () => {
      const url = await serving(() => endless());
      const sent = send(host.protocol, url, { "grpc-timeout": "60m" });

      await expect(sent.reply).rejects.toThrow();
    });

    it.each(["soon", "-1S", "1s", "123456789m", "1 S"])(
      "written as %j is answered 400, naming header and grammar",
      async (value) => {
        const { reply, ctx } = await answer({ "grpc-timeout": value });

        expect(reply.status).toBe(400);
        expect(reply.json()).toMatchObject({ title: "Invalid deadline", status: 400 });
        expect(reply.json()["detail"]).toMatch(/grpc-timeout.*1 to 8 digits and one of the units/);
        expect(ctx).toBeUndefined();
      },
    );

    it("sent twice is answered 400", async () => {
      expect((await answer({ "grpc-timeout": ["1S", "2S"] })).reply.status).toBe(400);
    });

    it("that is malformed counts as absent where the server is told to ignore it", async () => {
      const { reply, remaining } = await answer(
        { "grpc-timeout": "soon" },
        { invalidDeadline: "ignore", maxTimeout: "2s" },
      );

      expect(reply.status).toBe(200);
      expect(remaining).toBeLessThanOrEqual(2000);
    });
  });

  describe("mode", () => {
    /** What the next service would be sent, and whether this one is held to the deadline. */
    async function under(
      mode: "observe" | "propagate" | "enforce",
      timeout: string,
    ): Promise<{ sent: string | null; left: number; status: number }> {
      const seen: { sent: string | null; left: number } = { sent: null, left: 0 };
      const fetch = createFetch({
        fetch: async (_input, init) => ((seen.sent = new Headers(init?.headers).get("grpc-timeout")), new Response()),
      });
      const { reply } = await answer({ "grpc-timeout": timeout }, { mode }, async () => {
        seen.left = current().remaining();
        await fetch("http://next.example/");
        return "ok";
      });
      return { ...seen, status: reply.status };
    }

    it("observe holds nobody to a deadline, and sends none on", async () => {
      expect(await under("observe", "2S")).toEqual({ sent: null, left: Infinity, status: 200 });
      expect(await under("observe", "0m")).toEqual({ sent: null, left: Infinity, status: 200 });
    });

    it("propagate sends it on, and holds nobody to it here: not even when the time is up", async () => {
      const { sent, left, status } = await under("propagate", "2S");
      expect([left, status]).toEqual([Infinity, 200]);
      expect(sent).toMatch(/^1\d{3}m$/);
      expect(await under("propagate", "0m")).toEqual({ sent: "1m", left: Infinity, status: 200 });
    });

    it("propagate has no part in what was detached from the request", async () => {
      let sent: string | null = "none seen";
      const fetch = createFetch({
        fetch: async (_input, init) => ((sent = new Headers(init?.headers).get("grpc-timeout")), new Response()),
      });
      await answer({ "grpc-timeout": "2S" }, { mode: "propagate" }, async () => {
        await run(withoutCancel(current()), () => fetch("http://next.example/"));
        return "ok";
      });
      expect(sent).toBeNull();
    });

    it("enforce holds everybody to it, here and further on", async () => {
      const { sent, left, status } = await under("enforce", "2S");
      expect([left <= 2000, status]).toEqual([true, 200]);
      expect(sent).toMatch(/^1\d{3}m$/);
    });
  });

  describe("the context", () => {
    it("ends when the client leaves, and says so", async () => {
      let ctx: Context | undefined;
      const ended = Promise.withResolvers<unknown>();
      const url = await serving(async () => {
        ctx = current();
        try {
          await sleep(ctx, "10s");
        } catch (error) {
          ended.resolve(error);
          throw error;
        }
        return "nobody reads this";
      });

      const sent = send(host.protocol, url);
      sent.reply.catch(() => {});
      await vi.waitUntil(() => ctx);
      sent.leave();

      expect(await ended.promise).toBe(ctx!.err());
      expect(ctx!.err()).toBeInstanceOf(Canceled);
      expect(ctx!.cause()).toBeInstanceOf(ClientDisconnected);
    });

    it.runIf(host.protocol === "http/1.1")("ends for all requests of a pipeline whose client leaves", async () => {
      const contexts: Context[] = [];
      const url = new URL(
        await serving(async () => {
          contexts.push(current());
          await sleep(current(), "10s");
          return "nobody reads this";
        }),
      );
      const socket = connect(Number(url.port), url.hostname);
      socket.write(`GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /items/2 HTTP/1.1\r\nHost: x\r\n\r\n`);
      await vi.waitUntil(() => contexts.length === 2);
      socket.destroy();

      await vi.waitUntil(() => contexts.every((ctx) => ctx.cause() instanceof ClientDisconnected));
    });

    it("ends when the answer to a HEAD is out, which has no body", async () => {
      let ctx: Context | undefined;
      const url = await serving(() => {
        ctx = current();
        return "not for HEAD";
      });
      await fetchHead(host.protocol, url);

      await vi.waitUntil(() => ctx?.err());
      expect(ctx?.cause()).toBeInstanceOf(ResponseSent);
    });

    it("ends when the response is out, and says so", async () => {
      const { ctx } = await answer({});

      await vi.waitUntil(() => ctx?.err());
      expect(ctx?.cause()).toBeInstanceOf(ResponseSent);
    });

    it("is each request's own, however many there are at a time", async () => {
      const contexts: Context[] = [];
      const url = await serving(async () => {
        const ctx = current();
        contexts.push(ctx);
        await sleep(ctx, 5);
        return String(current() === ctx);
      });

      const replies = await Promise.all(Array.from({ length: 10 }, () => send(host.protocol, url).reply));

      expect(replies.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => "true"));
      expect(new Set(contexts).size).toBe(10);
    });

    it("does not end with one that the server was started under", async () => {
      const [starting, cancel] = withCancel(background);
      const seen: (string | undefined)[] = [];
      const url = await run(starting, () =>
        serving(() => {
          seen.push(current().err()?.message);
          return "ok";
        }),
      );
      cancel();

      await send(host.protocol, url).reply;
      expect(seen).toEqual([undefined]);
    });

    it("leaves the application's own errors to the application", async () => {
      const { reply } = await answer({ "grpc-timeout": "2S" }, {}, () => Promise.reject(new Error("a bug")));

      expect(reply.status).toBe(500);
      expect(reply.body).toBe("the application's own handler");
    });
  });

  describe("without an SDK", () => {
    it("the caller's trace is known", async () => {
      const { reply } = await answer({ traceparent: TRACEPARENT }, {}, () => traceId() ?? "none");

      expect(reply.body).toBe(TRACE);
    });
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("a request has one SERVER span, in its caller's trace", async () => {
      await answer({ traceparent: TRACEPARENT, "grpc-timeout": "2S" }, { maxTimeout: "1s" });

      const [span] = await spans.take(1);
      expect(span!.kind).toBe(SpanKind.SERVER);
      expect(span!.spanContext().traceId).toBe(TRACE);
      expect(span!.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
      expect(span!.attributes).toMatchObject({
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.path": "/items/7",
        "url.query": "q=1",
        "url.scheme": "http",
        "throughline.deadline.budget_ms": 1000,
        "throughline.deadline.source": "maxTimeout",
        "throughline.ended_by": "response",
      });
      expect(span!.status.code).toBe(SpanStatusCode.UNSET);
    });

    it("a deadline that passed is an error of the span", async () => {
      await answer({ "grpc-timeout": "0m" });

      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({
        "error.type": "DEADLINE_EXCEEDED",
        "throughline.ended_by": "deadline",
        "http.response.status_code": 504,
      });
      expect(span!.status.code).toBe(SpanStatusCode.ERROR);
    });

    it("a client that left is no error, and no status is made up", async () => {
      let isRunning = false;
      const url = await serving(async () => {
        isRunning = true;
        await sleep(current(), "10s");
        return "nobody reads this";
      });
      const sent = send(host.protocol, url);
      sent.reply.catch(() => {});
      await vi.waitUntil(() => isRunning);
      sent.leave();

      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({ "throughline.ended_by": "client" });
      expect(span!.attributes).not.toHaveProperty("http.response.status_code");
      expect(span!.attributes).not.toHaveProperty("error.type");
      expect(span!.status.code).toBe(SpanStatusCode.UNSET);
    });
  });
});
