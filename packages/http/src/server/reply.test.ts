import { background, DeadlineExceeded } from "@throughline/context";
import { describe, expect, it, vi } from "vitest";

import type { Answer } from "./answer.ts";
import { Exchange } from "./exchange.ts";
import { Reply } from "./reply.ts";

/** A response whose client takes its time: what is sent has begun, and is not out yet. */
class SlowReply extends Reply {
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
  readonly sent: Answer[] = [];
  readonly breakOff = vi.fn<() => void>();

  onceClosed(): void {}

  send(answer: Answer): void {
    this.isBegun = true;
    this.sent.push(answer);
  }

  silence(): void {}
}

describe("a response", () => {
  const late = new DeadlineExceeded();

  it("that has not begun is answered in the place of its handler", () => {
    const reply = new SlowReply();
    reply.answerFor(late, new Exchange(background));
    expect(reply.sent.map(({ status }) => status)).toEqual([504]);
    expect(reply.breakOff).not.toHaveBeenCalled();
  });

  it("that has begun is broken off", () => {
    const reply = new SlowReply();
    reply.isBegun = true;
    reply.answerFor(late, new Exchange(background));
    expect([reply.sent.length, reply.breakOff.mock.calls.length]).toEqual([0, 1]);
  });

  it("that we have answered is left to leave, whatever limit it breaks on the way", () => {
    const reply = new SlowReply();
    const exchange = new Exchange(background);
    reply.answerFor(late, exchange);
    reply.answerFor(late, exchange);
    expect([reply.sent.length, reply.breakOff.mock.calls.length]).toEqual([1, 0]);
  });

  it("is left to the application for an error that is its own", () => {
    const reply = new SlowReply();
    reply.answerFor(new Error("its own"), new Exchange(background));
    expect([reply.sent.length, reply.breakOff.mock.calls.length]).toEqual([0, 0]);
  });
});
