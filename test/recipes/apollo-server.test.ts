import { ApolloServer } from "@apollo/server";
import { current } from "@throughline/context";
import type { ServerOptions } from "@throughline/http";
import { expect, it, onTestFinished } from "vitest";

import { formatError, graphqlApp } from "../../examples/recipes/apollo-server.ts";
import { expectEndAtDisconnect, waitForever } from "./leaving-client.ts";
import { serve } from "./serve.ts";

const typeDefs = "type Query { fast: String slow: String left: Int bug: String stuck: String }";
const resolvers = {
  Query: {
    fast: () => "fast",
    left: () => Math.ceil(current().remaining()),
    bug: () => Promise.reject(new Error("a bug")),
    stuck: () => new Promise(() => {}),
    slow: waitForever,
  },
};

async function start(options?: ServerOptions): Promise<string> {
  const includeStacktraceInErrorResponses = false;
  const server = new ApolloServer({ typeDefs, resolvers, formatError, includeStacktraceInErrorResponses });
  await server.start();
  onTestFinished(() => server.stop());
  return serve(graphqlApp(server, options));
}

function requestOf(query: string, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query }),
  };
}

it("resolvers run in the context of the operation, with the deadline of the caller", async () => {
  const response = await fetch(await start(), requestOf("{ left bug }", { "grpc-timeout": "2S" }));
  const answer = (await response.json()) as { data: { left: number }; errors: object[] };
  expect(answer.data.left).toBeGreaterThan(1000);
  expect(answer.data.left).toBeLessThanOrEqual(1950);
  expect(answer.errors).toMatchObject([{ message: "a bug", extensions: { code: "INTERNAL_SERVER_ERROR" } }]);
});

it("at the deadline the client gets the fields that are ready", async () => {
  const response = await fetch(await start({ maxTimeout: 500 }), requestOf("{ fast slow }"));
  expect([response.status, await response.json()]).toMatchObject([
    200,
    {
      data: { fast: "fast", slow: null },
      errors: [{ message: "Deadline exceeded", path: ["slow"], extensions: { code: "DEADLINE_EXCEEDED" } }],
    },
  ]);
});

it("an operation whose resolver ignores its context is answered 504", async () => {
  const response = await fetch(await start({ maxTimeout: 80 }), requestOf("{ fast stuck }"));
  expect(response.status).toBe(504);
  await response.body?.cancel();
});

it("an operation without a deadline is answered", async () => {
  const response = await fetch(await start(), requestOf("{ fast }"));
  expect(await response.json()).toEqual({ data: { fast: "fast" } });
});

it("a client that leaves ends the context of its operation", async () => {
  await expectEndAtDisconnect(await start(), requestOf("{ slow }"));
});
