import { Readable } from "node:stream";

import { type Context, createKey, current, withValue } from "@throughline/context";
import { guard as expressGuard, requestContext as expressContext } from "@throughline/express";
import { createFetch } from "@throughline/fetch";
import type { Guard } from "@throughline/http";
import express from "express";
import express4 from "express4";
import { describe, expect, it, vi } from "vitest";

import { type Body, type Handler, hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { dial, send } from "../support/http-client.ts";
import { cleanUpAfterEach, serve } from "../support/loopback.ts";

const tenantKey = createKey<string>("tenant");
const addTenant: Guard = ({ ctx }) => withValue(ctx, tenantKey, "acme");
/** The inner request context has the earlier deadline, so it must be the current one. */
const [OUTER, INNER] = [{ maxTimeout: "9s" }, { maxTimeout: "2s" }] as const;
const KIB = 1024;

/** What code finds in its current context. */
interface Found {
  readonly tenant: string | undefined;
  readonly isInTime: boolean;
  /** Whether a call to another service carries the deadline. */
  readonly isSent: boolean;
}

async function look(): Promise<Found> {
  const ctx = current();
  const left = ctx.remaining();
  let sent: string | null = null;
  const fetch = createFetch({
    fetch: async (_input, init) => ((sent = new Headers(init?.headers).get("grpc-timeout")), new Response()),
  });
  // Calls fail after the request has ended.
  await fetch("http://next.example").catch(() => {});
  return { tenant: ctx.value(tenantKey), isInTime: left <= 2000, isSent: sent !== null };
}

/** Collects what code at several places finds. */
class Findings {
  readonly #found: Promise<readonly [place: string, found: Found]>[] = [];

  look(place: string): void {
    this.#found.push(look().then((found) => [place, found]));
  }

  count(): number {
    return this.#found.length;
  }

  /** The distinct findings of each place. */
  async all(): Promise<Record<string, Found[]>> {
    const all: Record<string, Map<string, Found>> = {};
    for (const [place, found] of await Promise.all(this.#found))
      (all[place] ??= new Map()).set(JSON.stringify(found), found);
    return Object.fromEntries(Object.entries(all).map(([place, found]) => [place, [...found.values()]]));
  }
}

describe.each(hosts)("$name", (host) => {
  const { servingWith } = serveOn(host);
  const serving = (handler: Handler): Promise<string> =>
    servingWith(handler, { options: OUTER, inner: INNER, guard: host.hasGuards ? addTenant : undefined });
  const EXPECTED: Found = { tenant: host.hasGuards ? "acme" : undefined, isInTime: true, isSent: true };
  const LATE = { ...EXPECTED, isSent: expect.any(Boolean) as boolean };

  describe("the current context is the request's", () => {
    it("in listeners of a request whose body arrives in chunks", async () => {
      const findings = new Findings();
      const pieces: number[] = [];
      const url = await serving(({ node: { req } }) => {
        const whole = Promise.withResolvers<string>();
        req.on("data", ({ length }: Buffer) => (pieces.push(length), findings.look("data")));
        req.on("end", () => (findings.look("end"), whole.resolve("ok")));
        req.on("close", () => findings.look("close"));
        return whole.promise;
      });
      const sent = send(host.protocol, url, {}, { method: "POST" });
      for (const count of [1, 2, 3]) {
        sent.body.write("piece");
        await vi.waitUntil(() => pieces.length === count);
      }
      sent.body.end();
      expect((await sent.reply).body).toBe("ok");

      await vi.waitUntil(() => findings.count() === 5);
      expect(await findings.all()).toEqual({ data: [EXPECTED], end: [EXPECTED], close: [LATE] });
    });

    it("in listeners of a request without a body", async () => {
      const findings = new Findings();
      const url = await serving(({ node: { req } }) => {
        const whole = Promise.withResolvers<string>();
        req.on("end", () => (findings.look("end"), whole.resolve("ok")));
        req.on("close", () => findings.look("close"));
        req.resume();
        return whole.promise;
      });
      await send(host.protocol, url).reply;

      await vi.waitUntil(() => findings.count() === 2);
      expect(await findings.all()).toEqual({ end: [EXPECTED], close: [LATE] });
    });

    it.each<[string, (look: () => void) => Body]>([
      [
        "a generator makes",
        (look) =>
          Readable.from(
            (async function* () {
              for (let index = 0; index < 3; index++) {
                look();
                await new Promise(setImmediate);
                yield Buffer.from(`${index} `);
              }
            })(),
          ),
      ],
      [
        "a Readable of the application makes",
        (look) => {
          let index = 0;
          return new Readable({
            highWaterMark: 0,
            read() {
              look();
              setImmediate(() => this.push(index === 3 ? null : `${index++} `));
            },
          });
        },
      ],
      [
        "a web stream makes",
        (look) => {
          let index = 0;
          return new ReadableStream<Uint8Array>(
            {
              async pull(controller) {
                look();
                await new Promise(setImmediate);
                if (index === 3) controller.close();
                else controller.enqueue(Buffer.from(`${index++} `));
              },
            },
            { highWaterMark: 0 },
          );
        },
      ],
      [
        "a generator makes as a web stream",
        (look) =>
          ReadableStream.from(
            (async function* () {
              for (let index = 0; index < 3; index++) {
                look();
                await new Promise(setImmediate);
                yield Buffer.from(`${index} `);
              }
            })(),
          ) as ReadableStream<Uint8Array>,
      ],
    ])("where %s the response body", async (_what, bodyOf) => {
      const findings = new Findings();
      const url = await serving(() => bodyOf(() => findings.look("body")));

      expect((await send(host.protocol, url).reply).body).toBe("0 1 2 ");
      expect(findings.count()).toBeGreaterThanOrEqual(3);
      expect(await findings.all()).toEqual({ body: [EXPECTED] });
    });

    it.each<[string, (chunks: AsyncIterable<Uint8Array>) => Body]>([
      ["a Node stream", (chunks) => Readable.from(chunks, { objectMode: false })],
      ["a web stream", (chunks) => ReadableStream.from(chunks) as ReadableStream<Uint8Array>],
    ])("where %s continues after backpressure from its client", async (_what, bodyOf) => {
      const [findings, isRead] = [new Findings(), Promise.withResolvers<void>()];
      let [made, left] = [0, Infinity];
      async function* chunks(): AsyncGenerator<Uint8Array> {
        for (; left > 0; left--) {
          made += 1;
          if (left !== Infinity) findings.look("after backpressure");
          yield Buffer.alloc(64 * KIB);
        }
      }
      const url = await serving(() => bodyOf(chunks()));
      const { reply } = send(host.protocol, url, {}, { readAfter: isRead.promise });
      await untilConstant(() => made);
      left = 16;
      isRead.resolve();

      expect((await reply).body.length).toBeGreaterThanOrEqual(16 * 64 * KIB);
      expect(await findings.all()).toEqual({ "after backpressure": [EXPECTED] });
    });

    it.runIf(!host.isFetch)("in a `drain` listener of the response", async () => {
      const [findings, isRead, blocked] = [
        new Findings(),
        Promise.withResolvers<void>(),
        Promise.withResolvers<void>(),
      ];
      const url = await serving(({ node: { res } }) => {
        if ("respond" in res) (res as { respond(headers: object): void }).respond({ ":status": 200 });
        while (res.write(Buffer.alloc(64 * KIB)));
        // The buffers of the connection take the first chunks at once.
        const more = (): void => {
          if (left === undefined) while (res.write(Buffer.alloc(64 * KIB)));
          else findings.look("drain");
          if (left === undefined) res.once("drain", more);
          else res.end();
        };
        res.once("drain", more);
        blocked.resolve();
        return undefined;
      });
      let left: number | undefined;
      const { reply } = send(host.protocol, url, {}, { readAfter: isRead.promise });
      await blocked.promise;
      await new Promise((resolve) => setTimeout(resolve, 30));
      left = 1;
      isRead.resolve();
      await reply;

      expect(await findings.all()).toEqual({ drain: [EXPECTED] });
    });

    it.runIf(host.protocol === "http/1.1" && !host.isFetch)(
      "in a `drain` listener of a response that waited in a pipeline",
      async () => {
        const [blocked, drained] = [Promise.withResolvers<void>(), Promise.withResolvers<Context>()];
        const first = Promise.withResolvers<string>();
        let own: Context | undefined;
        const url = await serving(({ node: { req, res } }) => {
          if (req.url!.endsWith("1")) return first.promise;
          own = current();
          res.once("drain", () => (drained.resolve(current()), res.end()));
          while (res.write(Buffer.alloc(64 * KIB)));
          blocked.resolve();
          return undefined;
        });
        const socket = dial(url).resume();
        socket.write("GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /items/2 HTTP/1.1\r\nHost: x\r\n\r\n");
        await blocked.promise;
        first.resolve("ok");

        expect(await drained.promise).toBe(own);
        socket.destroy();
      },
    );

    it("in a `close` listener of the response after a disconnect", async () => {
      const [running, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<Context>()];
      const url = await serving(({ node: { res } }) => {
        res.on("close", () => closed.resolve(current()));
        running.resolve();
        return new Promise(() => {});
      });
      const sent = send(host.protocol, url);
      sent.reply.catch(() => {});
      await running.promise;
      sent.leave();

      const ctx = await closed.promise;
      expect([ctx.value(tenantKey), ctx.remaining() <= 2000]).toEqual([EXPECTED.tenant, true]);
    });
  });
});

/** Waits until a growing number stops growing because of backpressure. */
async function untilConstant(count: () => number): Promise<void> {
  let before;
  do {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, 40));
  } while (before === 0 || count() !== before);
}

describe.each([
  ["Express 5", express],
  ["Express 4", express4 as typeof express],
])("%s", (_name, framework) => {
  cleanUpAfterEach();

  /** Like multer, it reads in listeners and calls `next` from one of them. */
  const listening: express.RequestHandler = (req, _res, next) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      req.body = Buffer.concat(chunks);
      next();
    });
  };

  it.each<[string, express.RequestHandler, string]>([
    ["express.json", framework.json(), "application/json"],
    ["express.raw", framework.raw({ type: "*/*" }), "application/octet-stream"],
    ["a parser with listeners", listening, "multipart/form-data"],
  ])("after the body parser %s, the current context is the request's", async (_parser, parser, type) => {
    const app = framework();
    app.use(expressContext(INNER), expressGuard(addTenant), parser);
    app.post("/", async (req, res) => {
      const found = await look();
      res.json({ ...found, isRead: req.body !== undefined });
    });
    const { url } = await serve(app);
    const sent = send("http/1.1", url, { "content-type": type }, { method: "POST" });
    for (const piece of ['{"a":', "1}"]) {
      sent.body.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    sent.body.end();

    expect((await sent.reply).json()).toEqual({ tenant: "acme", isInTime: true, isSent: true, isRead: true });
  });
});
