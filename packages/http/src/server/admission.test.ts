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
