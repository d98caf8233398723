// Answers each message at once, and again when its Context ends, as a worker thread and as a child process.
import { parentPort } from "node:worker_threads";

import { afterFunc } from "@throughline/context";
import { receive } from "@throughline/messages";

import { stayAwake } from "../harness.ts";

export interface Sent {
  readonly id: number;
}

/** Points in time are nanoseconds of the system's monotonic clock, which all processes share. */
export type Reported =
  | { readonly id: number; readonly left: number; readonly date: number }
  | { readonly id: number; readonly ended: string };

const answer = (message: Reported): void => {
  if (parentPort === null) process.send!(message);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- workers have no target origin
  else parentPort.postMessage(message);
};

stayAwake();
receive(parentPort ?? process, async (ctx, { id }: Sent) => {
  answer({ id, left: ctx.remaining(), date: performance.timeOrigin + performance.now() });
  // The Context of a message ends when its work is done.
  await new Promise<void>((resolve) => afterFunc(ctx, resolve));
  answer({ id, ended: String(process.hrtime.bigint()) });
});
