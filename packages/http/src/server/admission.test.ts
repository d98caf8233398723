import { background, type Context, withCancel, withTimeout } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { IncomingRequest } from "../observe/server-request.ts";
import { Admission, type AdmissionDecision } from "./admission.ts";
import { ServerRequest } from "./server-request.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly clientAddress?: string;
  readonly ctx?: Context;
}

/** Passes a request to admission control. */
function admit(admission: Admission, { method = "GET", target = "/a", clientAddress = "a", ctx }: Asked) {
  const [own, cancel] = withCancel(ctx ?? background);
  const serverRequest = new ServerRequest(own, cancel);
  const request = { method, target, clientAddress } as IncomingRequest;
  return { serverRequest, decision: admission.admit(serverRequest, serverRequest.ctx, request, "default") };
}

/** Serves a request whose handler takes `ms`. */
function serve(admission: Admission, ms: number, asked: Asked = {}): void {
  const { serverRequest } = admit(admission, asked);
  serverRequest.route = asked.target ?? "/a";
  vi.advanceTimersByTime(ms);
  serverRequest.end({ isDelivered: true, status: 200 });
}

/** Whether a request with `ms` left is rejected. */
function isRejected(admission: Admission, ms: number, asked: Asked = {}): boolean {
  const { serverRequest, decision } = admit(admission, { ...asked, ctx: withTimeout(background, ms)[0] });
  serverRequest.end({ isDelivered: true, status: decision === "run" ? 200 : 503 });
  return decision !== "run";
}

describe("deadlineAware", () => {
  const withRecordedTimes = (): Admission => {
    const admission = new Admission({ deadlineAware: true });
    for (let index = 0; index < 20; index++) serve(admission, 100);
    return admission;
  };

  it("rejects requests with less time left than their route takes, and no others", () => {
    expect(isRejected(withRecordedTimes(), 99)).toBe(true);
    expect(isRejected(withRecordedTimes(), 101)).toBe(false);
    expect(isRejected(withRecordedTimes(), 99, { target: "/b" })).toBe(false);
  });

  it("limits rejections for each client address separately", () => {
    const admission = withRecordedTimes();
    // 40 requests of client b, none of which is rejected: b may have up to 8 rejected, whatever happens to client a.
    for (let index = 0; index < 40; index++) admit(admission, { clientAddress: "b", target: "/b" });
    const rejected = Array.from({ length: 40 }, () => isRejected(admission, 50)).filter(Boolean).length;
    expect(rejected).toBeLessThanOrEqual(12);
    expect(isRejected(admission, 50)).toBe(false);

    expect(isRejected(admission, 50, { clientAddress: "b" })).toBe(true);
  });

  it("still records the times of a route after requests with 5000 unknown methods", () => {
    const admission = new Admission({ deadlineAware: true });
    for (let index = 0; index < 5000; index++) serve(admission, 1, { method: `MADE-UP-${index}` });
    for (let index = 0; index < 20; index++) serve(admission, 100);

    expect(isRejected(admission, 50)).toBe(true);
  });
});

describe("concurrency", () => {
  /** Whether a request runs at once, and does not wait. */
  const runs = (decision: AdmissionDecision | Promise<AdmissionDecision>): boolean => decision === "run";

  it("counts a handler until it has settled, even after its response has ended", async () => {
    const admission = new Admission({ concurrency: 1 });
    const { serverRequest, decision } = admit(admission, {});
    expect(runs(decision)).toBe(true);
    const work = Promise.withResolvers<void>();
    serverRequest.track(work.promise);
    serverRequest.end({ isDelivered: false });
    const second = admit(admission, {}).decision;
    expect(runs(second)).toBe(false);

    work.resolve();
    expect(await second).toBe("run");
  });

  it("counts a response until it has ended, even after its handler has settled", async () => {
    const admission = new Admission({ concurrency: 1 });
    const { serverRequest } = admit(admission, {});
    serverRequest.track(Promise.resolve());
    await vi.advanceTimersByTimeAsync(1);
    const second = admit(admission, {}).decision;
    expect(runs(second)).toBe(false);

    serverRequest.end({ isDelivered: true, status: 200 });
    expect(await second).toBe("run");
  });
});

describe("the queue", () => {
  /** A request whose client can leave. */
  function ask(admission: Admission, name: string) {
    const [ctx, leave] = withCancel(background);
    const { serverRequest, decision } = admit(admission, { ctx });
    const asked = { name, serverRequest, leave, decision: undefined as AdmissionDecision | undefined };
    void Promise.resolve(decision).then((settled) => (asked.decision = settled));
    return asked;
  }
  const end = async ({ serverRequest }: ReturnType<typeof ask>): Promise<void> => {
    serverRequest.end({ isDelivered: true, status: 200 });
    await vi.advanceTimersByTimeAsync(1);
  };
  const runningOf = (asked: readonly ReturnType<typeof ask>[]): string[] =>
    asked.flatMap(({ name, decision }) => (decision === "run" ? [name] : []));

  it("is served in order", async () => {
    const admission = new Admission({ concurrency: 1, queue: 3 });
    const asked = ["a", "b", "c"].map((name) => ask(admission, name));
    await end(asked[0]!);
    expect(runningOf(asked)).toEqual(["a", "b"]);
  });

  it("is served from its end, and loses its oldest request to a new one, after a client that was next has left", async () => {
    const admission = new Admission({ concurrency: 1, queue: 3 });
    const asked = ["a", "b", "c", "d"].map((name) => ask(admission, name));
    asked[1]!.leave();
    await vi.advanceTimersByTimeAsync(1);
    asked.push(ask(admission, "e"), ask(admission, "f"));
    await vi.advanceTimersByTimeAsync(1);
    expect(asked[2]!.decision).toMatchObject({ document: { status: 503 } });

    await end(asked[0]!);
    expect(runningOf(asked)).toEqual(["a", "f"]);
  });

  it("rejects a new request when it is full, while nobody was too late", async () => {
    const admission = new Admission({ concurrency: 1, queue: 1 });
    const asked = ["a", "b", "c"].map((name) => ask(admission, name));
    await vi.advanceTimersByTimeAsync(1);
    expect(asked[2]!.decision).toMatchObject({ document: { status: 503 } });
    await end(asked[0]!);
    expect(runningOf(asked)).toEqual(["a", "b"]);
  });

  it("is served from its end after a request that had waited was answered too late", async () => {
    const admission = new Admission({ concurrency: 1, queue: 3 });
    const asked = ["a", "b", "c", "d"].map((name) => ask(admission, name));
    await end(asked[0]!);
    asked[1]!.leave();
    asked[1]!.serverRequest.end({ isDelivered: false });
    await vi.advanceTimersByTimeAsync(1);
    expect(runningOf(asked)).toEqual(["a", "b", "d"]);
  });

  it("does not let a request overtake an earlier one of its connection, even if it is served from its end", async () => {
    const admission = new Admission({ concurrency: 1, queue: 4 });
    const connection = {};
    const first = ask(admission, "first");
    const gone = ask(admission, "gone");
    const queued = ["earlier", "later"].map(async (name) => {
      const [ctx, cancel] = withCancel(background);
      const serverRequest = new ServerRequest(ctx, cancel);
      serverRequest.connection = connection;
      const request = { method: "GET", target: "/a", clientAddress: "a" } as IncomingRequest;
      await admission.admit(serverRequest, serverRequest.ctx, request, "default");
      return name;
    });
    gone.leave();
    await end(first);
    const next = await Promise.race(queued);
    expect(next).toBe("earlier");
  });
});

describe('"adaptive"', () => {
  /** Requests of clients that leave after 500 ms arrive at a pool of 20 places, 40 ms each, for so many seconds. */
  async function overload(admission: Admission, perSecond: number, seconds: number): Promise<number> {
    let [free, inTime] = [20, 0];
    const waiting: (() => void)[] = [];
    const work = async (): Promise<void> => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => void waiting.push(resolve));
      await new Promise((resolve) => setTimeout(resolve, 40));
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    };
    const client = async (): Promise<void> => {
      const [ctx, leave] = withCancel(background);
      const { serverRequest, decision } = admit(admission, { ctx });
      serverRequest.route = "/a";
      const from = Date.now();
      const left = setTimeout(() => {
        leave();
        serverRequest.end({ isDelivered: false });
      }, 500);
      if ((await decision) === "run") {
        const worked = work();
        serverRequest.track(worked);
        await worked;
        if (Date.now() - from < 500) inTime += 1;
      }
      clearTimeout(left);
      serverRequest.end({ isDelivered: Date.now() - from < 500, status: 200 });
    };
    for (let at = 0; at < seconds * 1000; at += 1000 / perSecond) {
      void client();
      await vi.advanceTimersByTimeAsync(1000 / perSecond);
    }
    return inTime / seconds / 500;
  }

  it("answers nearly as many as can be answered at twice that load, where without it few are", async () => {
    const bare = new Admission({});
    await overload(bare, 250, 2);
    expect(await overload(bare, 1000, 8)).toBeLessThan(0.3);

    const adaptive = new Admission("adaptive");
    await overload(adaptive, 250, 2);
    await overload(adaptive, 1000, 2);
    expect(await overload(adaptive, 1000, 8)).toBeGreaterThan(0.9);
  });
});
