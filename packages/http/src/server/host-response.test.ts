import { background, DeadlineExceeded } from "@throughline/context";
import { describe, expect, it, vi } from "vitest";

import { HostResponse } from "./host-response.ts";
import type { ProblemResponse } from "./problem-response.ts";
import { ServerRequest } from "./server-request.ts";

/** A response whose client takes its time: what is sent has begun, and is not out yet. */
class SlowReply extends HostResponse {
  readonly isAborted = false;
  leaveUnread(): void {}
  readonly accept = undefined;
  readonly isEnded = false;
  readonly isClosed = false;
  readonly isDelivered = false;
  readonly error = undefined;
  readonly status = undefined;
  readonly progress = 0;
  isBegun = false;
  readonly sent: ProblemResponse[] = [];
  readonly breakOff = vi.fn<() => void>();

  onceClosed(): void {}

  send(answer: ProblemResponse): void {
    this.isBegun = true;
    this.sent.push(answer);
  }

  silence(): void {}
}

describe("a response", () => {
  const late = new DeadlineExceeded();

  it("that has not begun is answered in the place of its handler", () => {
    const reply = new SlowReply();
    reply.forceAnswer(late, new ServerRequest(background));
    expect(reply.sent.map(({ status }) => status)).toEqual([504]);
    expect(reply.breakOff).not.toHaveBeenCalled();
  });

  it("that has begun is broken off", () => {
    const reply = new SlowReply();
    reply.isBegun = true;
    reply.forceAnswer(late, new ServerRequest(background));
    expect([reply.sent.length, reply.breakOff.mock.calls.length]).toEqual([0, 1]);
  });

  it("that we have answered is left to leave, whatever limit it breaks on the way", () => {
    const reply = new SlowReply();
    const serverRequest = new ServerRequest(background);
    reply.forceAnswer(late, serverRequest);
    reply.forceAnswer(late, serverRequest);
    expect([reply.sent.length, reply.breakOff.mock.calls.length]).toEqual([1, 0]);
  });

  it("is left to the application for an error that is its own", () => {
    const reply = new SlowReply();
    reply.forceAnswer(new Error("its own"), new ServerRequest(background));
    expect([reply.sent.length, reply.breakOff.mock.calls.length]).toEqual([0, 0]);
  });
});
