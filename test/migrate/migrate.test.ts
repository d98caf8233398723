import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

import { createKey, current, run, withValue } from "@throughline/context";
import { guard, requestContext } from "@throughline/express";
import { runWithClock } from "@throughline/testing";
import rTracer from "cls-rtracer";
import timeout from "connect-timeout";
import express from "express";
import httpContext from "express-http-context";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { listenOnAnyPort } from "../support/any-port.ts";
import { codeBlocksOf } from "../support/code-blocks.ts";
import { typescript } from "../support/typescript.ts";

const FOLDER = new URL("./.blocks/", import.meta.url);
const PAGES = readdirSync("docs/migrate").filter((page) => page !== "README.md");

const servers = new Map<string, Server>();
const others: Server[] = [];

type Side = "before" | "after" | "rewritten";

/** The pages whose code before the migration the command `migrate` rewrites. */
const REWRITTEN = new Set(["cls-hooked", "cls-rtracer", "express-http-context"]);

/** The server that a page starts: before or after the migration, or as the command has rewritten it. */
function serverOf(page: string, side: Side): Server {
  return servers.get(`${page} ${side}`)!;
}

beforeAll(async () => {
  rmSync(FOLDER, { recursive: true, force: true });
  for (const page of PAGES) {
    const name = page.replace(".md", "");
    const [before, after] = codeBlocksOf(`docs/migrate/${page}`);
    await startProgram(name, "before", before!.code);
    await startProgram(name, "after", after!.code);
    if (REWRITTEN.has(name)) await startProgram(name, "rewritten", before!.code);
  }
});

async function startProgram(page: string, side: Side, code: string): Promise<void> {
  const folder = new URL(`${page}-${side}/`, FOLDER);
  const file = new URL("app.ts", folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, code);
  if (side === "rewritten") {
    const command = [...typescript, "packages/cli/src/cli.ts", "migrate", page, folder.pathname];
    await promisify(execFile)(process.execPath, command);
    expect(readFileSync(file, "utf8")).not.toContain(page);
  }
  listenOnAnyPort((server) => servers.set(`${page} ${side}`, server));
  await import(file.href);
  vi.restoreAllMocks();
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const server of others.splice(0)) server.close();
});

afterAll(() => {
  for (const server of servers.values()) server.close();
  rmSync(FOLDER, { recursive: true, force: true });
});

async function serve(app: express.Express): Promise<Server> {
  const server = app.listen(0, "127.0.0.1");
  others.push(server);
  await once(server, "listening");
  return server;
}

function send(
  server: Server,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  agent: http.Agent | false = false,
): http.ClientRequest {
  const { address, port } = server.address() as AddressInfo;
  return http.get({ host: address === "::" ? "localhost" : address, port, path, headers, agent });
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

async function ask(...request: Parameters<typeof send>): Promise<Answer> {
  const [response] = (await once(send(...request), "response")) as [IncomingMessage];
  return { status: response.statusCode!, headers: response.headers, body: await text(response) };
}

it("each page starts a server before and after", () => {
  const names = PAGES.flatMap((page) => ["after", "before"].map((side) => `${page.replace(".md", "")} ${side}`));
  expect([...servers.keys()].filter((each) => !each.endsWith(" rewritten")).toSorted()).toEqual(names.toSorted());
});

it("what the command has rewritten has no type errors", async () => {
  const project = { extends: "../../../tsconfig.json", include: ["*-rewritten/*.ts"], references: [] };
  writeFileSync(new URL("tsconfig.json", FOLDER), JSON.stringify(project));
  const tsc = promisify(execFile)("tsc", ["-p", FOLDER.pathname]);
  expect(await tsc.catch((error: { stdout: string }) => error.stdout)).toEqual({ stdout: "", stderr: "" });
});

describe.each(["before", "after", "rewritten"] as const)("%s", (side) => {
  it.each(
    [
      ["cls-hooked", "user"],
      ["express-http-context", "tenant"],
      ["fastify-request-context", "user"],
      ["nestjs-cls", "user"],
    ].filter(([page]) => side !== "rewritten" || REWRITTEN.has(page!)) as [string, string][],
  )("%s: requests at the same time see their own value", async (page, name) => {
    const server = serverOf(page, side);
    const answers = ["ada", "bob"].map((value) => ask(server, "/", { [`x-${name}`]: value }));
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual([`{"${name}":"ada"}`, `{"${name}":"bob"}`]);
  });

  it("cls-rtracer: the id of the caller is used and sent back", async () => {
    const { headers, body } = await ask(serverOf("cls-rtracer", side), "/", { "x-request-id": "abc-1" });
    expect([headers["x-request-id"], body]).toEqual(["abc-1", '{"id":"abc-1"}']);
  });
});

describe.each(["before", "after"] as const)("%s", (side) => {
  it("a hand-wired AbortController: the other service answers in time", async () => {
    const server = serverOf("abort-controller", side);
    redirectPort3000(server);
    const { body } = await ask(server, "/search");
    expect(JSON.parse(body)).toEqual({
      received: side === "before" ? "no deadline" : expect.stringMatching(/^49\d\dm$/),
    });
  });

  it("a hand-wired AbortController: the call ends when the client leaves", async () => {
    const server = serverOf("abort-controller", side);
    redirectPort3000(server);
    const requests: IncomingMessage[] = [];
    const seen = (request: IncomingMessage): void => void requests.push(request);
    server.on("request", seen);
    const client = send(server, "/search").on("error", () => {});
    await vi.waitUntil(() => requests.length === 2);
    server.off("request", seen);
    const closed = once(requests[1]!.socket, "close");
    client.destroy();
    await closed;
  });
});

/** Sends calls of `fetch` to the documented port to the server, which listens on another one. */
function redirectPort3000(server: Server): void {
  const { fetch } = globalThis;
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) =>
    fetch(String(input).replace("http://localhost:3000", origin), init),
  );
}

describe("cls-rtracer", () => {
  it("creates a UUID before, and a trace id after", async () => {
    expect((await ask(serverOf("cls-rtracer", "before"), "/")).body).toMatch(/^\{"id":"[\da-f]{8}-[\da-f-]{27}"\}$/);
    expect((await ask(serverOf("cls-rtracer", "after"), "/")).body).toMatch(/^\{"id":"[\da-f]{32}"\}$/);
  });

  it("uses any id of a caller before, and only one that is safe to log after", async () => {
    const headers = { "x-request-id": 'a" level="error' };
    expect(JSON.parse((await ask(serverOf("cls-rtracer", "before"), "/", headers)).body)).toEqual({
      id: 'a" level="error',
    });
    expect((await ask(serverOf("cls-rtracer", "after"), "/", headers)).body).toMatch(/^\{"id":"[\da-f]{32}"\}$/);
  });
});

describe("connect-timeout", () => {
  it("answers 503 before", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const server = serverOf("connect-timeout", "before");
    const answer = ask(server, "/report");
    await once(server, "request");
    await vi.advanceTimersByTimeAsync(4999);
    const isEarly = await Promise.race([answer.then(() => true), new Promise((resolve) => setImmediate(resolve))]);
    expect(isEarly).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect((await answer).status).toBe(503);
  });

  it("answers 504 after, and the handler ends", () =>
    runWithClock(async (clock) => {
      const server = serverOf("connect-timeout", "after");
      const answer = ask(server, "/report");
      await once(server, "request");
      await clock.advance("5s"); // fails if the handler still sleeps
      expect(await answer).toMatchObject({ status: 504, headers: { "content-type": "application/problem+json" } });
    }));

  it("lets a late answer throw, where a late answer after the migration has no effect", async () => {
    const late = async (middleware: express.RequestHandler): Promise<unknown> => {
      const result = Promise.withResolvers<unknown>();
      const app = express();
      app.use(middleware);
      app.get("/", (_req, res) => {
        res.once("close", () => {
          try {
            res.send("late");
            result.resolve("no effect");
          } catch (error) {
            result.resolve((error as NodeJS.ErrnoException).code);
          }
        });
      });
      app.use(((_error, _req, res, _next) => void res.sendStatus(503)) satisfies express.ErrorRequestHandler);
      await ask(await serve(app), "/");
      return result.promise;
    };
    expect(await late(timeout(10))).toBe("ERR_HTTP_HEADERS_SENT");
    expect(await late(requestContext({ maxTimeout: 10 }))).toBe("no effect");
  });
});

describe("express-timeout-handler", () => {
  it("answers 503 and destroys the connection before, and reports the late answer", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const server = serverOf("express-timeout-handler", "before");
    const connected = once(server, "connection") as Promise<[Socket]>;
    const agent = new http.Agent({ keepAlive: true });
    const answer = await ask(server, "/report", {}, agent);
    expect([answer.status, answer.body]).toEqual([503, "Please try again later"]);
    const [socket] = await connected;
    await vi.waitUntil(() => socket.destroyed);
    expect(warn).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(warn).toHaveBeenCalledWith("res.send of /report came too late"));
    agent.destroy();
  });

  it("answers 504 and keeps the connection after", async () => {
    const server = serverOf("express-timeout-handler", "after");
    const connections = vi.fn();
    server.on("connection", connections);
    const agent = new http.Agent({ keepAlive: true });
    const answer = await ask(server, "/report", {}, agent);
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([504, { budgetMs: 200 }]);
    expect((await ask(server, "/report", {}, agent)).status).toBe(504);
    expect(connections).toHaveBeenCalledTimes(1);
    agent.destroy();
  });
});

describe("express-http-context", () => {
  it("loses its value in listeners on the request, where a guard keeps it", async () => {
    const post = async (page: "before" | "after"): Promise<unknown> => {
      const app = express();
      const userKey = createKey<string>("user");
      if (page === "before") {
        app.use(httpContext.middleware, (_req, _res, next) => {
          httpContext.set("user", "ada");
          next();
        });
      } else {
        app.use(
          requestContext(),
          guard(({ ctx }) => withValue(ctx, userKey, "ada")),
        );
      }
      const user = (): unknown => (page === "before" ? httpContext.get("user") : current().value(userKey));
      app.post("/", (req, res) => {
        req.resume().on("end", () => res.json({ user: user() ?? "lost" }));
      });
      const { port } = (await serve(app)).address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "x".repeat(100_000) });
      return response.json();
    };
    expect(await post("before")).toEqual({ user: "lost" });
    expect(await post("after")).toEqual({ user: "ada" });
  });

  it("shows a value of a handler to code that was started before, where a Context does not change", async () => {
    const userKey = createKey<string>("user");
    const handled = Promise.withResolvers<void>();
    let seen: Promise<unknown> | undefined;
    const app = express();
    app.use(httpContext.middleware, requestContext(), (_req, _res, next) => {
      seen = handled.promise.then(() => [httpContext.get("user"), current().value(userKey)]);
      next();
    });
    app.get("/", (_req, res) => {
      httpContext.set("user", "ada");
      run(withValue(current(), userKey, "ada"), () => void res.send());
      handled.resolve();
    });
    await ask(await serve(app), "/");
    expect(await seen).toEqual(["ada", undefined]);
  });
});

it("the libraries run side by side", async () => {
  const app = express();
  app.use(
    rTracer.expressMiddleware({ useHeader: true }),
    httpContext.middleware,
    requestContext({ maxTimeout: "1h" }),
    (_req, _res, next) => {
      httpContext.set("user", "ada");
      next();
    },
  );
  app.get("/", (_req, res) => {
    res.json([rTracer.id(), httpContext.get("user"), Math.ceil(current().remaining() / 60_000)]);
  });
  expect((await ask(await serve(app), "/", { "x-request-id": "7" })).body).toBe('["7","ada",60]');
});
