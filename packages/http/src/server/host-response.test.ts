import { background, DeadlineExceeded } from "@throughline/context";
import { describe, expect, it, vi } from "vitest";

import { HostResponse } from "./host-response.ts";
import type { ProblemResponse } from "./problem.ts";
import { ServerRequest } from "./server-request.ts";

/** A response to a slow client: after `send` it has begun, and is not delivered yet. */
class SlowResponse extends HostResponse {
  readonly isAborted = false;
  discardRequestBody(): void {}
  readonly accept = undefined;
  readonly isEnded = false;
  readonly isClosed = false;
  readonly isDelivered = false;
  readonly error = undefined;
  readonly status = undefined;
  readonly progress = 0;
  isBegun = false;
  readonly sent: ProblemResponse[] = [];
  readonly destroy = vi.fn<() => void>();

  onceClosed(): void {}

  send(answer: ProblemResponse): void {
    this.isBegun = true;
    this.sent.push(answer);
  }

  detach(): void {}
}

describe("forceAnswer", () => {
  const late = new DeadlineExceeded();

  it("answers a response that has not begun in place of its handler", () => {
    const response = new SlowResponse();
    response.forceAnswer(late, new ServerRequest(background));
    expect(response.sent.map(({ status }) => status)).toEqual([504]);
    expect(response.destroy).not.toHaveBeenCalled();
  });

  it("destroys a response that has begun", () => {
    const response = new SlowResponse();
    response.isBegun = true;
    response.forceAnswer(late, new ServerRequest(background));
    expect([response.sent.length, response.destroy.mock.calls.length]).toEqual([0, 1]);
  });

  it("leaves an answered response alone, even if it exceeds another limit", () => {
    const response = new SlowResponse();
    const serverRequest = new ServerRequest(background);
    response.forceAnswer(late, serverRequest);
    response.forceAnswer(late, serverRequest);
    expect([response.sent.length, response.destroy.mock.calls.length]).toEqual([1, 0]);
  });

  it("leaves an error of the application to the application", () => {
    const response = new SlowResponse();
    response.forceAnswer(new Error("the application's own"), new ServerRequest(background));
    expect([response.sent.length, response.destroy.mock.calls.length]).toEqual([0, 0]);
  });
});
