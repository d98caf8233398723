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

/** Has a request decided on. */
function admit(admission: Admission, { method = "GET", target = "/a", clientAddress = "a", ctx }: Asked) {
  const [own, cancel] = withCancel(ctx ?? background);
  const serverRequest = new ServerRequest(own, cancel);
  const request = { method, target, clientAddress } as IncomingRequest;
  return { serverRequest, turn: admission.admit(serverRequest, serverRequest.ctx, request, "default") };
}

/** Serves a request that takes so long. */
function serve(admission: Admission, ms: number, asked: Asked = {}): void {
  const { serverRequest } = admit(admission, asked);
  serverRequest.route = asked.target ?? "/a";
  vi.advanceTimersByTime(ms);
  serverRequest.end({ isDelivered: true, status: 200 });
}

/** Whether a request with so many milliseconds left is refused. */
function isRefused(admission: Admission, ms: number, asked: Asked = {}): boolean {
  const { serverRequest, turn } = admit(admission, { ...asked, ctx: withTimeout(background, ms)[0] });
  serverRequest.end({ isDelivered: true, status: turn === "run" ? 200 : 503 });
  return turn !== "run";
}

describe("requests that cannot finish in time", () => {
  const learnt = (): Admission => {
    const admission = new Admission({ deadlineAware: true });
    for (let index = 0; index < 20; index++) serve(admission, 100);
    return admission;
  };

  it("are refused, and others are not", () => {
    expect(isRefused(learnt(), 99)).toBe(true);
    expect(isRefused(learnt(), 101)).toBe(false);
    expect(isRefused(learnt(), 99, { target: "/b" })).toBe(false);
  });

  it("of one client address take nothing from the allowance of another", () => {
    const admission = learnt();
    // It has an allowance of four, of its own requests.
    for (let index = 0; index < 40; index++) admit(admission, { clientAddress: "b", target: "/b" });
    const refused = Array.from({ length: 40 }, () => isRefused(admission, 50)).filter(Boolean).length;
    expect(refused).toBeLessThanOrEqual(12);
    expect(isRefused(admission, 50)).toBe(false);

    expect(isRefused(admission, 50, { clientAddress: "b" })).toBe(true);
  });

  it("are known by their route also after requests by methods that were made up", () => {
    const admission = new Admission({ deadlineAware: true });
    for (let index = 0; index < 5000; index++) serve(admission, 1, { method: `MADE-UP-${index}` });
    for (let index = 0; index < 20; index++) serve(admission, 100);

    expect(isRefused(admission, 50)).toBe(true);
  });
});

describe("a limit of requests at a time", () => {
  /** Whether a request runs at once; one that waits does not. */
  const runs = (turn: AdmissionDecision | Promise<AdmissionDecision>): boolean => turn === "run";

  it("counts a handler until it has settled, though its response is over", async () => {
    const admission = new Admission({ concurrency: 1 });
    const { serverRequest, turn } = admit(admission, {});
    expect(runs(turn)).toBe(true);
    const work = Promise.withResolvers<void>();
    serverRequest.track(work.promise);
    serverRequest.end({ isDelivered: false });
    const second = admit(admission, {}).turn;
    expect(runs(second)).toBe(false);

    work.resolve();
    expect(await second).toBe("run");
  });

  it("counts a response until it is over, though its handler has settled", async () => {
    const admission = new Admission({ concurrency: 1 });
    const { serverRequest } = admit(admission, {});
    serverRequest.track(Promise.resolve());
    await vi.advanceTimersByTimeAsync(1);
    const second = admit(admission, {}).turn;
    expect(runs(second)).toBe(false);

    serverRequest.end({ isDelivered: true, status: 200 });
    expect(await second).toBe("run");
  });
});
