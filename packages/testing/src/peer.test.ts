import { AsyncLocalStorage } from "node:async_hooks";

import {
  background,
  Canceled,
  createKey,
  current,
  DeadlineExceeded,
  run,
  traceId,
  withCancel,
  withTimeout,
  withValue,
} from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { Forbidden, propagateValue, textCodec } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { describe, expect, it } from "vitest";

import { runWithClock } from "./clock.ts";
import { inContext } from "./in-context.ts";
import { leaks } from "./leaks.ts";
import { assertEndedBy, budget, endedBy } from "./outcome.ts";
import { fetchOf, peer } from "./peer.ts";

const ORIGIN = "http://stock.internal";
const TRACE = "0af7651916cd43dd8448eb211c80319c";

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "peer-test-tenant", codec: textCodec, maxBytes: 100 });

function echo(): Response {
  return Response.json({ left: current().remaining() });
}

describe("what a peer receives", () => {
  it("the time left, the trace and the values, in the headers that are sent", () =>
    runWithClock(() =>
      inContext({ timeout: "2s", traceId: TRACE, values: [[tenantKey, "acme"]] }, async () => {
        const stock = peer(ORIGIN, echo);
        const response = await createFetch({ fetch: stock.fetch, origins: [ORIGIN] })(`${ORIGIN}/items?page=1`);
        expect(await response.json()).toEqual({ left: 1999 });

        const [call] = stock.calls;
        expect([call!.method, call!.url]).toEqual(["GET", `${ORIGIN}/items?page=1`]);
        expect(call!.headers.get("grpc-timeout")).toBe("1999m");
        expect(call!.headers.get("traceparent")).toContain(TRACE);
        expect(call!.headers.get("baggage")).toBe("peer-test-tenant=acme");
        expect(call!.headers.get("host")).toBe("stock.internal");
        expect([call!.budget, budget(call), call!.traceId, call!.value(tenantKey)]).toEqual([
          1999,
          1999,
          TRACE,
          "acme",
        ]);
        expect([call!.status, call!.endedBy, call!.abortReason]).toEqual([200, "response", undefined]);
      }),
    ));

  it("no value, from a caller that it does not trust", () =>
    inContext({ values: [[tenantKey, "acme"]] }, async () => {
      const stock = peer(ORIGIN, echo, { server: {} });
      await createFetch({ fetch: stock.fetch, origins: [ORIGIN] })(ORIGIN);
      expect(stock.calls[0]!.value(tenantKey)).toBeUndefined();
      expect(stock.calls[0]!.headers.get("baggage")).toBe("peer-test-tenant=acme");
    }));

  it("nothing of the caller's context but what is sent", () => {
    const storage = new AsyncLocalStorage<string>();
    const localKey = createKey<string>("local");
    return storage.run("the caller's", () =>
      run(withValue(background, localKey, "x"), async () => {
        const stock = peer(ORIGIN, () =>
          Response.json([storage.getStore() ?? null, current().value(localKey) ?? null]),
        );
        const response = await createFetch({ fetch: stock.fetch })(ORIGIN);
        expect(await response.json()).toEqual([null, null]);
        expect(stock.calls[0]!.budget).toBeUndefined();
      }),
    );
  });

  it("the body", async () => {
    const stock = peer(ORIGIN, async (request) => new Response(`${await request.text()}!`));
    const response = await createFetch({ fetch: stock.fetch })(ORIGIN, { method: "POST", body: "hello" });
    expect(await response.text()).toBe("hello!");
    expect(stock.calls[0]!.headers.get("content-type")).toContain("text/plain");
  });
});

describe("the end of a call", () => {
  it("by the deadline, which the peer reaches a margin before the caller", () =>
    runWithClock((clock) =>
      inContext({ timeout: "2s" }, async () => {
        const stock = peer(ORIGIN, async () => {
          await sleep(current(), "3s");
          return new Response();
        });
        const found = createFetch({ fetch: stock.fetch })(ORIGIN);
        await clock.advance("1998ms");
        expect([stock.calls[0]!.endedBy, leaks().length > 0]).toEqual([undefined, true]);
        await clock.advance("1ms");
        expect(stock.calls[0]!.endedBy).toBe("deadline");
        expect(stock.calls[0]!.status).toBe(504);
        expect((await found).status).toBe(504);
      }),
    ));

  it("by the deadline of the caller, while the response is on its way", () =>
    runWithClock((clock) =>
      inContext({ timeout: "2s" }, async (ctx) => {
        const stock = peer(ORIGIN, () => new Response("late"), { latency: "1500ms" });
        const found = createFetch({ fetch: stock.fetch })(ORIGIN);
        found.catch(() => {});
        await clock.advance("2s");
        await assertEndedBy(found, "deadline");
        await expect(found).rejects.toBe(ctx.err());
        expect(stock.calls[0]!.budget).toBe(1999);
      }),
    ));

  it("by the caller, who cancels", () =>
    runWithClock(async (clock) => {
      const stock = peer(ORIGIN, async () => {
        await sleep(current(), "3s");
        return new Response();
      });
      const [ctx, cancel] = withCancel(background);
      const found = run(ctx, () => createFetch({ fetch: stock.fetch })(ORIGIN));
      await clock.settle();
      cancel(new Error("not needed"));
      await assertEndedBy(found, "cancel");
      await clock.settle();
      expect(endedBy(stock.calls[0])).toBe("client");
      expect(stock.calls[0]!.abortReason).toBe(ctx.err());
      expect(stock.calls[0]!.status).toBeUndefined();
    }));

  it("by the caller, in the middle of the body", () =>
    runWithClock(async (clock) => {
      const stock = peer(ORIGIN, () => {
        let count = 0;
        const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
          await sleep(current(), "1s");
          controller.enqueue(new TextEncoder().encode(String((count += 1))));
        };
        return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
      });
      const [ctx] = withTimeout(background, "2500ms");
      const response = await run(ctx, () => createFetch({ fetch: stock.fetch })(ORIGIN));
      const text = response.text();
      text.catch(() => {});
      await clock.advance("2499ms");
      await assertEndedBy(stock.calls[0], "deadline");
      await clock.advance("1ms");
      await expect(text).rejects.toThrow();
    }));

  it("by the signal of a caller, whose body fails with the reason", async () => {
    const stock = peer(ORIGIN, () => new Response(new ReadableStream()));
    const leaving = new AbortController();
    const response = await stock.fetch(ORIGIN, { signal: leaving.signal });
    const text = response.text();
    const reason = new Error("not needed");
    leaving.abort(reason);
    await expect(text).rejects.toBe(reason);
    expect([stock.calls[0]!.endedBy, stock.calls[0]!.abortReason]).toEqual(["client", reason]);
  });

  it("by a rejection, before the handler", () =>
    inContext({ timeout: "50ms" }, async () => {
      const stock = peer(ORIGIN, echo, { server: { minBudget: "1s" } });
      expect((await createFetch({ fetch: stock.fetch })(ORIGIN)).status).toBe(504);
      expect([stock.calls[0]!.endedBy, stock.calls[0]!.ctx]).toEqual(["refusal", undefined]);
    }));

  it.each([
    ["answered 500", new RangeError("a bug")],
    ["answered 500, also if it has a status", Object.assign(new Error("a bug"), { statusCode: 404 })],
  ])("by an error of the handler, which is %s", async (_how, bug) => {
    const stock = peer(ORIGIN, () => {
      throw bug;
    });
    expect((await createFetch({ fetch: stock.fetch })(ORIGIN)).status).toBe(500);
    expect([stock.calls[0]!.error, stock.calls[0]!.endedBy]).toEqual([bug, "error"]);
  });

  it("by an error with a response of its own", async () => {
    const stock = peer(ORIGIN, () => {
      throw new Forbidden();
    });
    expect((await createFetch({ fetch: stock.fetch })(ORIGIN)).status).toBe(403);
    await new Promise(setImmediate);
    expect([stock.calls[0]!.error, stock.calls[0]!.endedBy]).toEqual([undefined, "response"]);
  });

  it("leaves nothing behind, also if the body is not read", async () => {
    await inContext({ timeout: "5s" }, async () => {
      const stock = peer(ORIGIN, echo);
      await createFetch({ fetch: stock.fetch })(ORIGIN);
      await new Promise(setImmediate);
      expect(stock.calls[0]!.endedBy).toBe("response");
    });
    expect(leaks()).toEqual([]);
  });
});

describe("the way to a peer", () => {
  it("takes the latency in each direction, on the clock", () =>
    runWithClock(async (clock) => {
      const stock = peer(ORIGIN, () => new Response("x"), { latency: "10ms" });
      let status = 0;
      const found = createFetch({ fetch: stock.fetch })(ORIGIN).then((response) => (status = response.status));
      await clock.advance(9);
      expect(stock.calls).toHaveLength(0);
      await clock.advance(1);
      expect([stock.calls.length, status]).toEqual([1, 0]);
      await clock.advance(10);
      await found;
      expect(status).toBe(200);
    }));

  it("is chosen by the origin", async () => {
    const fetch = createFetch({
      fetch: fetchOf(
        peer("http://a.internal", () => new Response("a")),
        peer("http://b.internal", () => new Response("b")),
      ),
    });
    expect(await (await fetch("http://b.internal/x")).text()).toBe("b");
    expect(await (await fetch(new Request("http://a.internal/x"))).text()).toBe("a");
    await expect(fetch("http://c.internal")).rejects.toMatchObject({ cause: { code: "ENOTFOUND" } });
  });

  it("fails for another origin as an unknown host does", async () => {
    await expect(peer(ORIGIN, echo).fetch("http://else.internal")).rejects.toMatchObject({
      message: "fetch failed",
      cause: { code: "ENOTFOUND" },
    });
  });

  it("hops over several peers, each with less time and the same trace", () =>
    runWithClock(() =>
      inContext({ timeout: "2s", traceId: TRACE }, async () => {
        const prices = peer("http://prices.internal", echo);
        const stock = peer(ORIGIN, () => createFetch({ fetch: prices.fetch })("http://prices.internal"));
        await createFetch({ fetch: stock.fetch })(ORIGIN);
        expect([stock.calls[0]!.budget, prices.calls[0]!.budget]).toEqual([1999, 1998]);
        expect([prices.calls[0]!.traceId, traceId()]).toEqual([TRACE, TRACE]);
      }),
    ));

  it.each(["stock.internal", "http://stock.internal/", "", 7])("rejects %j as an origin", (origin) => {
    expect(() => peer(origin as string, echo)).toThrow("'origin' must be an origin");
  });
});

describe("endedBy and budget", () => {
  it.each<[string, unknown, string | undefined]>([
    ["nothing", undefined, undefined],
    ["a context that has not ended", background, undefined],
    ["a deadline", new DeadlineExceeded(), "deadline"],
    ["a cancel", new Canceled(), "cancel"],
    ["any other error", new Error("x"), "error"],
  ])("of %s", (_what, subject, expected) => {
    expect(endedBy(subject)).toBe(expected);
  });

  it("assertEndedBy says what it was instead", async () => {
    await expect(assertEndedBy(new Canceled(), "deadline")).rejects.toThrow(
      'expected it to be ended by "deadline", but it was ended by "cancel": context canceled',
    );
    await expect(assertEndedBy(Promise.resolve(1), "deadline")).rejects.toThrow("but it has not ended");
    await assertEndedBy(new Error("x"), "error");
  });
});
