import { type Context, current } from "@throughline/context";
import { criticality, ServerOverloaded, setRoute } from "@throughline/http";
import { describe, expect, it, vi } from "vitest";

import { type Handler, hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { type Reply, type Sent, send } from "../support/http-client.ts";

describe.each(hosts)("$name with admission control", (host) => {
  const { serving } = serveOn(host);

  /**
   * A server that runs one request at a time, until `finish` is called. Requests have their criticality in a header.
   */
  async function busy(queue: number, acceptCriticality: "any" | "lower" = "any") {
    const running: { criticality: string; ctx: Context; finish: () => void }[] = [];
    const url = await serving(
      () => {
        const done = Promise.withResolvers<string>();
        const which = criticality();
        running.push({ criticality: which, ctx: current(), finish: () => done.resolve(which) });
        return done.promise;
      },
      { admission: { concurrency: 1, queue }, acceptCriticality },
    );
    const request = (which: string, headers: Record<string, string> = {}): Sent =>
      send(host.protocol, url, { "throughline-criticality": which, ...headers });
    const first = request("default").reply;
    await vi.waitUntil(() => running.length === 1);
    return { running, request, first };
  }

  /** The deadline of requests that cannot finish in time. */
  const SHORT_MS = 10;

  /** Long enough for a request to have arrived. */
  const arrived = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

  function refused({ status, headers }: Reply): unknown[] {
    return [status, headers["throughline-outcome"], headers["retry-after"]];
  }
  /** The retry-after times are random, so that clients do not all retry at once. */
  const OVERLOADED = [503, "overloaded;started=?0", expect.stringMatching(/^[123]$/)];

  it("runs at most `concurrency` requests and queues the others, the most critical first", async () => {
    const { running, request, first } = await busy(3);
    const replies = [first];
    for (const which of ["sheddable", "default", "critical"]) {
      replies.push(request(which).reply);
      await arrived();
    }
    expect(running.length).toBe(1);
    for (let index = 0; index < 4; index++) {
      await vi.waitUntil(() => running.length === index + 1);
      running[index]!.finish();
    }
    await Promise.all(replies);

    expect(running.map((each) => each.criticality)).toEqual(["default", "critical", "default", "sheddable"]);
  });

  it("answers 503 to requests that exceed the queue, the least critical first, with retry-after", async () => {
    const { running, request, first } = await busy(1);
    const shed = request("sheddable").reply;
    await arrived();
    const kept = request("default").reply;
    expect(refused(await shed)).toEqual(OVERLOADED);
    expect(refused(await request("default").reply)).toEqual(OVERLOADED);
    expect(refused(await request("sheddable").reply)).toEqual(OVERLOADED);

    running[0]!.finish();
    await first;
    await vi.waitUntil(() => running.length === 2);
    running[1]!.finish();
    expect((await kept).status).toBe(200);
  });

  it("ignores a raised criticality unless acceptCriticality is 'any'", async () => {
    const { running, request, first } = await busy(1, "lower");
    const waiting = request("default").reply;
    await arrived();
    expect(refused(await request("critical").reply)).toEqual(OVERLOADED);

    running[0]!.finish();
    await first;
    await vi.waitUntil(() => running.length === 2);
    running[1]!.finish();
    await waiting;
  });

  it("never runs a queued request that has expired or whose client has disconnected", async () => {
    const { running, request, first } = await busy(3);
    const expired = await request("default", { "grpc-timeout": "40m" }).reply;
    const gone = request("default");
    gone.reply.catch(() => {});
    await arrived();
    gone.leave();
    await arrived();
    running[0]!.finish();
    await first;
    await arrived();

    expect([expired.status, expired.headers["throughline-outcome"]]).toEqual([504, "deadline-exceeded;started=?0"]);
    expect(running.length).toBe(1);
  });

  it("refuses requests that cannot meet their deadline, but at most a fifth of all", async () => {
    let ms = 25;
    const handler: Handler = () => {
      if (!host.hasRoutes) setRoute("/items/:id");
      return new Promise((resolve) => setTimeout(resolve, ms, "ok"));
    };
    const url = await serving(handler, { admission: { deadlineAware: true } });
    await Promise.all(Array.from({ length: 20 }, () => send(host.protocol, url).reply));
    ms = 1;
    // Of 30 requests 6 may be refused. The others run, and are in time here.
    const statuses: number[] = [];
    for (let index = 0; index < 10; index++) {
      const reply = await send(host.protocol, url, { "grpc-timeout": "20m" }).reply;
      statuses.push(reply.status);
      if (reply.status === 503) expect(refused(reply)).toEqual(OVERLOADED);
    }
    const count = statuses.filter((status) => status === 503).length;
    expect(count).toBeGreaterThan(2);
    expect(count).toBeLessThanOrEqual(6);
    expect(statuses.slice(0, 3)).toEqual([503, 503, 503]);
  });

  describe("never exceeds its concurrency, although handlers ignore their contexts,", () => {
    /** A server that runs two requests at a time, whose handlers ignore their contexts until `finish` is called. */
    async function ignoringContext() {
      const finish = Promise.withResolvers<void>();
      let [running, most, count] = [0, 0, 0];
      const handler: Handler = async () => {
        count += 1;
        most = Math.max(most, (running += 1));
        await finish.promise;
        running -= 1;
        return "ok";
      };
      const url = await serving(handler, { admission: { concurrency: 2, queue: 40 } });
      return { url, finish: finish.resolve, most: () => most, count: () => count };
    }

    it("when the deadlines of 40 requests pass", async () => {
      const { url, finish, most, count } = await ignoringContext();
      const replies = Array.from(
        { length: 40 },
        () => send(host.protocol, url, { "grpc-timeout": `${SHORT_MS}m` }).reply,
      );
      for (const { status } of await Promise.all(replies)) expect(status).toBe(504);
      expect(most()).toBeLessThanOrEqual(2);
      const before = count();
      const next = send(host.protocol, url).reply;
      await arrived();
      expect(count()).toBe(before);

      finish();
      expect((await next).body).toBe("ok");
      expect(most()).toBeLessThanOrEqual(2);
    });

    it("when 40 clients disconnect", async () => {
      const { url, finish, most, count } = await ignoringContext();
      for (let index = 0; index < 40; index++) {
        const sent = send(host.protocol, url);
        sent.reply.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 2));
        // Over TLS, all might leave before a connection is made.
        await vi.waitUntil(() => count() > 0);
        sent.leave();
      }
      const next = send(host.protocol, url).reply;
      await arrived();
      expect(most()).toBeLessThanOrEqual(2);

      finish();
      expect((await next).body).toBe("ok");
      expect(most()).toBeLessThanOrEqual(2);
    });
  });

  it.each<[string, Handler]>([
    ["an upload", async ({ text }) => `${(await text()).length}`],
    ["an upload that the handler does not read", () => "ok"],
  ])("measures the time of the handler without the time that its client takes to send %s", async (_what, handle) => {
    const handler: Handler = (received) => {
      if (!host.hasRoutes) setRoute("/items/:id");
      return handle(received);
    };
    const url = await serving(handler, { admission: { deadlineAware: true } });
    const uploads = Array.from({ length: 20 }, () => send(host.protocol, url, {}, { method: "POST" }));
    for (const { body } of uploads) body.on("error", () => {}).write("half of it");
    await new Promise((resolve) => setTimeout(resolve, 150));
    for (const { body } of uploads) body.end("and the rest");
    await Promise.allSettled(uploads.map(({ reply }) => reply));

    for (let index = 0; index < 8; index++) {
      const sent = send(host.protocol, url, { "grpc-timeout": "100m" }, { method: "POST" });
      sent.body.end();
      expect((await sent.reply).status).toBe(200);
    }
  });

  it("measures the time of a handler that does not read the request body", async () => {
    let ms = 40;
    const handler: Handler = () => {
      if (!host.hasRoutes) setRoute("/items/:id");
      return new Promise((resolve) => setTimeout(resolve, ms, "ok"));
    };
    const url = await serving(handler, { admission: { deadlineAware: true } });
    const post = (headers: Record<string, string> = {}): Promise<Reply> => {
      const sent = send(host.protocol, url, headers, { method: "POST" });
      sent.body.on("error", () => {}).end("all of it");
      return sent.reply;
    };
    await Promise.all(Array.from({ length: 20 }, () => post()));
    ms = 1;

    expect((await post({ "grpc-timeout": "30m" })).status).toBe(503);
  });

  it("answers 503 with retry-after if a handler throws ServerOverloaded", async () => {
    const url = await serving(() => Promise.reject(new ServerOverloaded()));
    expect(refused(await send(host.protocol, url).reply)).toEqual([
      503,
      "overloaded;started=?1",
      expect.stringMatching(/^[123]$/),
    ]);
  });
});
