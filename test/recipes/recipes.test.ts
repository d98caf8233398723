import type http from "node:http";

import { background, current, run, withTimeout } from "@throughline/context";
import type { ServerOptions } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { Hono } from "hono";
import type { LambdaContext, LambdaEvent } from "hono/aws-lambda";
import { describe, expect, it } from "vitest";

import { kyClient, ofetchClient, openaiClient, superagentText } from "../../examples/recipes/clients.ts";
import { httpHandler, invocationContext, queueHandler } from "../../examples/recipes/lambda.ts";
import { serve } from "./serve.ts";

describe.each<[string, (url: string) => Promise<string>]>([
  ["ky", (url) => kyClient(url).text()],
  ["ofetch", (url) => ofetchClient(url, { responseType: "text" })],
  ["superagent", superagentText],
])("%s", (_client, call) => {
  it("sends the time that is left", async () => {
    const url = await serve(
      (req, res) => void res.setHeader("content-type", "text/plain").end(req.headers["grpc-timeout"]),
    );
    const [ctx] = withTimeout(background, "2s");
    expect(await run(ctx, call, url)).toMatch(/^19\d\dm$/);
  });

  it("ends at the deadline, with the error of the context", async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((_req, res) => void res.once("close", closed.resolve));
    const [ctx] = withTimeout(background, 30);
    const error = await run(ctx, call, url).catch((reason: unknown) => reason);

    expect([error, (error as Error).cause]).toContain(ctx.err());
    await closed.promise;
  });
});

describe("OpenAI's client", () => {
  const chunk = (content: string): string =>
    `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] })}\n\n`;

  it("sends the time that is left, and a streaming answer is cut at the deadline", async () => {
    let timeout: unknown;
    const closed = Promise.withResolvers<void>();
    const baseURL = await serve((req, res) => {
      timeout = req.headers["grpc-timeout"];
      res.setHeader("content-type", "text/event-stream");
      res.write(chunk("a") + chunk("b"));
      res.once("close", closed.resolve);
    });
    const [ctx] = withTimeout(background, 1500);
    const contents: (string | null | undefined)[] = [];
    const reading = run(ctx, async () => {
      const stream = await openaiClient(baseURL, "key").chat.completions.create({
        model: "m",
        messages: [],
        stream: true,
      });
      for await (const { choices } of stream) contents.push(choices[0]!.delta.content);
    });

    await expect(reading.then(() => "complete")).rejects.toThrow();
    expect(contents).toEqual(["a", "b"]);
    expect(timeout).toMatch(/^1[34]\d\dm$/);
    await closed.promise;
  });
});

describe("AWS Lambda", () => {
  const lambda = (ms: number): LambdaContext => ({ getRemainingTimeInMillis: () => ms }) as LambdaContext;

  function request(headers: Record<string, string> = {}): LambdaEvent {
    const http = { method: "GET", path: "/", protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "" };
    const requestContext = { http, domainName: "shop.example" };
    return { version: "2.0", rawPath: "/", rawQueryString: "", headers, requestContext } as unknown as LambdaEvent;
  }

  function application(): Hono {
    const app = new Hono();
    app.use(invocationContext);
    app.get("/", (hono) => hono.text(String(current().remaining())));
    return app;
  }

  it.each([
    ["the time that is left of the invocation, less the margin", {}, 1500],
    ["a caller may ask for less", { "grpc-timeout": "200m" }, 200],
    ["and not for more", { "Lambda-Remaining-Ms": "99999", "grpc-timeout": "1H" }, 1500],
  ])("the deadline of a request is %s", async (_what, headers, most) => {
    const { statusCode, body } = await httpHandler(application())(request(headers), lambda(2000));
    expect([statusCode, Number(body) <= most, Number(body) > most - 100]).toEqual([200, true, true]);
  });

  it("a request is answered before the invocation ends, whatever its handler does", async () => {
    const app = new Hono();
    app.use(invocationContext);
    app.get("/", () => new Promise(() => {}));
    const { statusCode } = await httpHandler(app)(request(), lambda(530));
    expect(statusCode).toBe(504);
  });

  it("messages are handled one after the other, and those that fail or are late are delivered again", async () => {
    const shares: number[] = [];
    const handler = queueHandler(async (body) => {
      shares.push(current().remaining());
      if (body === "bug") throw new Error("a bug");
      if (body === "slow") await sleep(current(), "1h");
    });
    const Records = ["ok", "bug", "slow", "last"].map((body, index) => ({ messageId: `${index}`, body }));
    const { batchItemFailures } = await handler({ Records }, lambda(700));

    expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(["1", "2"]);
    expect(shares[0]).toBeLessThanOrEqual(50);
    expect(shares[2]).toBeLessThanOrEqual(100);
  });
});

describe("GraphQL Yoga", () => {
  interface Recipe {
    graphqlListener(yoga: object, options?: ServerOptions): http.RequestListener;
  }

  async function ask(query: string, options: ServerOptions): Promise<unknown> {
    const { createSchema } = (await import("graphql-yoga" as string)) as { createSchema(options: object): object };
    const { graphqlListener } = (await import("../../examples/recipes/graphql-yoga.mjs" as string)) as Recipe;
    const Query = {
      fast: () => "fast",
      left: () => Math.ceil(current().remaining()),
      slow: () => sleep(current(), "1h"),
      bug: () => Promise.reject(new Error("a bug")),
    };
    const typeDefs = "type Query { fast: String slow: String left: Int bug: String }";
    const schema = createSchema({ typeDefs, resolvers: { Query } });
    const url = await serve(graphqlListener({ schema, logging: false, graphqlEndpoint: "/" }, options));
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query }) });
    return response.json();
  }

  it("resolvers run in the context of the operation, whose other errors stay hidden", async () => {
    const answer = (await ask("{ left bug }", { maxTimeout: "2s" })) as { data: { left: number }; errors: object[] };
    expect(answer.data.left).toBeLessThanOrEqual(1950);
    expect(answer.errors).toEqual([expect.objectContaining({ message: "Unexpected error." })]);
  });

  it("an operation without a deadline is answered", async () => {
    expect(await ask("{ fast }", {})).toEqual({ data: { fast: "fast" } });
  });

  it("at the deadline the client gets the fields that are ready", async () => {
    expect(await ask("{ fast slow }", { maxTimeout: 150 })).toMatchObject({
      data: { fast: "fast", slow: null },
      errors: [{ message: "Deadline exceeded", path: ["slow"], extensions: { code: "DEADLINE_EXCEEDED" } }],
    });
  });
});
