import { type ProblemResponse, problemOf, problemResponse } from "./problem.ts";
import type { ServerRequest, ActiveResponse } from "./server-request.ts";

/** The response to a request, on any host. */
export abstract class HostResponse implements ActiveResponse {
  /** Whether {@link forceAnswer} has sent a complete response, which may still be on its way out. */
  #isAnswered = false;

  /** The `Accept` header of the request. */
  abstract readonly accept: string | undefined;
  /** Whether bytes have left the process, so that no other response is possible. */
  abstract readonly isBegun: boolean;
  /** Whether the client left before the request was complete or the response was sent. */
  abstract readonly isAborted: boolean;
  /** Whether the handler has written all of it. */
  abstract readonly isEnded: boolean;
  /** Whether nothing more can be sent. */
  abstract readonly isClosed: boolean;
  /** Whether it was sent completely. */
  abstract readonly isDelivered: boolean;
  /** The error that the application destroyed it with, for example through a pipeline whose source failed. */
  abstract readonly error: unknown;
  /** `undefined` if no head was sent. */
  abstract readonly status: number | undefined;
  /** A number that changes when bytes are received or sent. */
  abstract readonly progress: number;
  /** Calls back once when it closes, or at once if it is closed. */
  abstract onceClosed(callback: () => void): void;
  /** Makes sure that an unread request body does not block further requests after the response is sent. */
  abstract discardRequestBody(): void;
  /** Sends a complete response in place of the handler's. */
  abstract send(answer: ProblemResponse): void;
  /**
   * Detaches the handler from the response: from now on its writes have no effect, throw nothing, and it sees a
   * response that has not begun. Only this response object changes, not its class.
   */
  abstract detach(): void;
  /** Closes the connection after this response. Does nothing where a connection carries several responses at a time. */
  closeConnection(): void {}
  /** Ends it in a way that the client recognizes as incomplete. */
  abstract destroy(): void;

  /**
   * Answers in place of the handler if this library answers the error. If nothing was sent yet, it sends a problem;
   * otherwise it destroys the response, so that the client does not take it for complete.
   */
  forceAnswer(error: unknown, serverRequest: ServerRequest): void {
    const problem = problemOf(error);
    if (problem === undefined || this.isClosed || this.#isAnswered) return;
    serverRequest.fail(error);
    if (this.isBegun) return this.destroy();
    this.#isAnswered = true;
    this.send(problemResponse(problem, true, this.accept));
    this.detach();
  }
}
