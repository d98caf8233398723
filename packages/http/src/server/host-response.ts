import { type ProblemResponse, problemResponse } from "./problem-response.ts";
import { problemOf } from "./problem.ts";
import type { ServerRequest, ActiveResponse } from "./server-request.ts";

/** The response to a request, as far as we have a hand in it, whatever the host. */
export abstract class HostResponse implements ActiveResponse {
  /** Whether the answer is ours: it is whole, and only has to leave. */
  #isAnswered = false;

  /** The request's header `Accept`. */
  abstract readonly accept: string | undefined;
  /** Whether bytes have left the process, so that nothing else can be answered. */
  abstract readonly isBegun: boolean;
  /** Whether the client went away in the middle of its request, or before the response was out. */
  abstract readonly isAborted: boolean;
  /** Whether all of it has been written. */
  abstract readonly isEnded: boolean;
  /** Whether nothing can go out any more. */
  abstract readonly isClosed: boolean;
  /** Whether it went out in full. */
  abstract readonly isDelivered: boolean;
  /** What code of the application has destroyed it with, if it has: a pipeline does so where its source fails. */
  abstract readonly error: unknown;
  /** Absent where no head is out: none is made up. */
  abstract readonly status: number | undefined;
  /** A number that changes when bytes come or go. */
  abstract readonly progress: number;
  /** Calls back once, when it is closed, or has been closed before. */
  abstract onceClosed(callback: () => void): void;
  /** Sees to it that what is left of the request's body keeps no other request from being served, once the response is out. */
  abstract leaveUnread(): void;
  /** Sends an answer as the whole response, in place of what was to be sent. */
  abstract send(answer: ProblemResponse): void;
  /**
   * Makes all that a handler may still do of no effect, as it does not know that it was answered: nothing throws, nothing goes out, and it
   * looks as if nothing had. Only this response pays for it.
   */
  abstract silence(): void;
  /** Has the connection closed once it is out, where responses of one connection follow each other. */
  closeConnection(): void {}
  /** Ends it so that the client notices that it is not whole. */
  abstract breakOff(): void;

  /**
   * Answers for a handler that has not, if the error is ours to explain: with a problem if nothing is out yet; else the response is broken
   * off, never ended as if it were whole.
   */
  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    const problem = problemOf(error);
    if (problem === undefined || this.isClosed || this.#isAnswered) return;
    serverRequest.fail(error);
    if (this.isBegun) return this.breakOff();
    this.#isAnswered = true;
    this.send(problemResponse(problem, true, this.accept));
    this.silence();
  }
}
