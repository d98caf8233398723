import { Readable } from "node:stream";

import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { createKey, current, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { requestId, textCodec, traceId } from "@throughline/http";
import { propagateIdentity } from "@throughline/http/adapter";
import { sleep } from "@throughline/resilience";
import { describe, expect, it } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { send } from "../support/http-client.ts";
import { recordSpans } from "../support/spans.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;

propagateIdentity(createKey<string>("badge"), { name: "trace-badge", codec: textCodec, maxBytes: 64 });

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.from("begun");
  await new Promise((resolve) => setTimeout(resolve, 5));
  throw new RangeError("a bug");
}

describe.each(hosts)("$name", (host) => {
  const { answer, abandon, serving } = serveOn(host);

  describe("without an SDK", () => {
    it("the handler has the trace id of the caller", async () => {
      const { reply } = await answer({ traceparent: TRACEPARENT }, {}, () => traceId() ?? "none");

      expect(reply.body).toBe(TRACE);
    });

    it("a request without a trace starts one, with the same id for the whole request", async () => {
      const { reply } = await answer({}, {}, () => `${traceId()} ${traceId()}`);
      const [first, second] = reply.body.split(" ");

      expect(first).toMatch(/^[0-9a-f]{32}$/);
      expect(second).toBe(first);
    });

    it.each([
      ["the caller's", { "x-request-id": "01ARZ3NDEKTSV4RRFFQ69G5FAV" }, "01ARZ3NDEKTSV4RRFFQ69G5FAV"],
      ["the trace id if the caller's is not safe to log", { "x-request-id": "a b" }, TRACE],
      ["the trace id if the caller sends none", {}, TRACE],
    ])("the request id is %s: in the handler, in the response and in calls", async (_what, headers, id) => {
      const sent: (string | null)[] = [];
      const fetch = createFetch({
        fetch: async (_input, init) => (sent.push(new Headers(init?.headers).get("x-request-id")), new Response()),
      });
      const { reply } = await answer(
        { traceparent: TRACEPARENT, ...headers },
        { requestIdHeader: "X-Request-Id" },
        async () => {
          await fetch("http://next.example/");
          return requestId() ?? "none";
        },
      );

      expect([reply.body, sent]).toEqual([id, [id]]);
      // Handlers of HTTP/2 streams write the head themselves.
      if (host.name !== "streams of node:http2") expect(reply.headers["x-request-id"]).toBe(id);
    });
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("a request has one SERVER span in the trace of its caller", async () => {
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
        "url.scheme": host.isSecure ? "https" : "http",
        "throughline.deadline.budget_ms": 1000,
        "throughline.deadline.source": "maxTimeout",
        "throughline.ended_by": "response",
      });
      expect(span!.status.code).toBe(SpanStatusCode.UNSET);
    });

    it.runIf(host.hasRoutes)(
      "the name of the span has the complete route, including the path of the router",
      async () => {
        await answer({});

        const [span] = await spans.take(1);
        expect(span!.name).toBe("GET /items/:id");
        expect(span!.attributes["http.route"]).toBe("/items/:id");
      },
    );

    it("the span records the request headers of captureHeaders", async () => {
      await answer({ "x-tenant": "acme", "x-secret": "s" }, { captureHeaders: ["X-Tenant", "x-absent"] });

      const [span] = await spans.take(1);
      const recorded = Object.entries(span!.attributes).filter(([name]) => name.startsWith("http.request.header."));
      expect(recorded).toEqual([["http.request.header.x-tenant", ["acme"]]]);
    });

    it.each([
      "Authorization",
      "Proxy-Authorization",
      "Cookie",
      "Set-Cookie",
      "Txn-Token",
      "txn_token",
      "Trace-Badge",
      "TRACE_BADGE",
    ])("the span records that %s was sent, without its value", async (name) => {
      await answer({ [name]: "s3cret" }, { captureHeaders: [name] });

      const [span] = await spans.take(1);
      expect(span!.attributes[`http.request.header.${name.toLowerCase()}`]).toEqual(["REDACTED"]);
      expect(JSON.stringify(span!.attributes)).not.toContain("s3cret");
    });

    it("an exceeded deadline is an error of the span", async () => {
      await answer({ "grpc-timeout": "0m" });

      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({
        "error.type": "DEADLINE_EXCEEDED",
        "throughline.ended_by": "deadline",
        "http.response.status_code": 504,
      });
      expect(span!.status.code).toBe(SpanStatusCode.ERROR);
    });

    it("the span of a request that an earlier deadline of its handler ends names that deadline", async () => {
      await answer({}, { maxTimeout: "5s" }, async () => {
        const [ctx] = withTimeout(current(), 20, { source: "stock budget" });
        await sleep(ctx, "1h");
        return "late";
      });

      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({
        "throughline.ended_by": "deadline",
        "throughline.deadline.budget_ms": 5000,
        "throughline.deadline.source": "stock budget",
      });
    });

    // Koa 2 leaves such a response open, and Nest over Express ends it as if it were complete.
    it.runIf(!["Koa 2", "Nest over Express"].includes(host.name))(
      "a response body that fails is an error of the span",
      async () => {
        const url = await serving(() => Readable.from(failing()));
        await send(host.protocol, url).reply.catch(() => {});

        const [span] = await spans.take(1);
        expect(span!.attributes).toMatchObject({
          "throughline.ended_by": "error",
          "error.type": "RangeError",
          "http.response.status_code": 200,
        });
        expect(span!.status.code).toBe(SpanStatusCode.ERROR);
      },
    );

    it("a disconnect is not an error of the span, and has no status", async () => {
      await abandon();

      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({ "throughline.ended_by": "client" });
      expect(span!.attributes).not.toHaveProperty("http.response.status_code");
      expect(span!.attributes).not.toHaveProperty("error.type");
      expect(span!.status.code).toBe(SpanStatusCode.UNSET);
    });
  });
});
