import { type Context, current } from "@throughline/context";
import { criticality, ServerOverloaded, setRoute } from "@throughline/http";
import { describe, expect, it, vi } from "vitest";

import { type Reply, send, type Sent } from "../support/client.ts";
import { serveOn } from "../support/serving.ts";
import { type Handler, hosts } from "./hosts/index.ts";

describe.each(hosts)("$name, which takes on only so much", (host) => {
  const { serving } = serveOn(host);

  /** A server of one request at a time, which runs until it is told to finish; requests say in a header who they are. */
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

  /** Long enough for a request to have arrived. */
  const arrived = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

  function refused({ status, headers }: Reply): unknown[] {
    return [status, headers["throughline-outcome"], headers["retry-after"]];
  }
  /** Clients are told different times, so that they do not all come back at once. */
  const OVERLOADED = [503, "overloaded;started=?0", expect.stringMatching(/^[123]$/)];

  it("runs no more at a time, and the rest in their turn, the more critical first", async () => {
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

  it("refuses what cannot wait, the least critical first, and says that it is safe to send again", async () => {
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

  it("takes nobody's word for being more critical, unless it is told to", async () => {
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

  it("never runs what has expired while it waited, or whose client has left", async () => {
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

  it("refuses what cannot finish in its time, but never more than a fifth", async () => {
    let ms = 25;
    const handler: Handler = () => {
      if (!host.hasRoutes) setRoute("/items/:id");
      return new Promise((resolve) => setTimeout(resolve, ms, "ok"));
    };
    const url = await serving(handler, { admission: { rejectHopeless: true } });
    await Promise.all(Array.from({ length: 20 }, () => send(host.protocol, url).reply));
    ms = 1;
    // Of 30 requests 6 may be refused; the rest runs, and is in time as it happens.
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

  it("does the same where a handler says so itself", async () => {
    const url = await serving(() => Promise.reject(new ServerOverloaded()));
    expect(refused(await send(host.protocol, url).reply)).toEqual([
      503,
      "overloaded;started=?1",
      expect.stringMatching(/^[123]$/),
    ]);
  });
});
