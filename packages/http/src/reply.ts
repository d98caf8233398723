import type { Writable } from "node:stream";

import type { Answer } from "./answer.ts";

/** The response to a request, as far as we have a hand in it, whatever the host. */
export interface Reply {
  /** The request's header `Accept`. */
  readonly accept: string | undefined;
  /** Whether a head is out, so that nothing else can be answered. */
  readonly isBegun: boolean;
  /** Whether nothing can go out any more. */
  readonly isClosed: boolean;
  /** Whether it went out in full. Asked once it is closed. */
  readonly isDelivered: boolean;
  /** Absent where no head is out: none is made up. */
  readonly status: number | undefined;
  /** Calls back once, when it is closed, or has been closed before. */
  onceClosed(callback: () => void): void;
  /** A number that changes when bytes come or go. */
  readonly progress: number;
  /** Sends an answer as the whole response, in place of what was to be sent. */
  send(answer: Answer): void;
  /**
   * Makes all that a handler may still do of no effect, as it does not know that it was answered: nothing throws, nothing goes out, and it
   * looks as if nothing had. Only this response pays for it.
   */
  silence(): void;
  /** Ends it so that the client notices that it is not whole. */
  breakOff(): void;
}

/** Over HTTP/2 a response that is out does not close its stream while the request still comes: its end is told by `finish`, which also an abort brings. */
export function onceOut(reply: Reply, writable: Writable, callback: () => void): void {
  writable.once("finish", () => {
    if (!reply.isClosed) callback();
  });
}
