import type { TimerOptions } from "node:timers";

import type { Duration } from "@throughline/context";
import { nodeModule, now } from "@throughline/context/internal";

import { ServerDraining } from "../wire/errors.ts";
import type { ServerRequest } from "./server-request.ts";

export interface DrainOptions {
  /**
   * How long active requests may continue. Requests that are still active after this time are canceled, have half a
   * second to answer, and are then cut off.
   */
  shutdownTimeout: Duration;
}

/** A request, or an upgraded connection, that a drain can cancel. */
export interface Drainable {
  cancel(cause: unknown): void;
  /** Answers in place of the handler, or closes the connection. */
  forceAnswer(error: unknown): void;
}

/** Waits. Only servers of Node drain, so the module is there. */
export function delay<T = void>(ms: number, value?: T, options?: TimerOptions): Promise<T> {
  return nodeModule("node:timers/promises")!.setTimeout(ms, value, options);
}

/** How long a canceled request may take to answer, in milliseconds. */
export const GRACE_MS = 500;

/**
 * Waits for active requests during a shutdown. After `ms` it cancels the requests that are left, waits for their
 * answers, and answers in place of handlers that did not.
 *
 * @param done resolves when all requests have ended
 * @returns whether it canceled any request
 */
export async function waitAndCancel(
  running: () => readonly Drainable[],
  ms: number,
  done: Promise<unknown>,
): Promise<boolean> {
  const abort = new AbortController();
  const late = delay(ms, "late", { signal: abort.signal }).catch(() => undefined);
  const isLate = (await Promise.race([done, late])) === "late";
  if (isLate) await cancelAndAnswer(running, done);
  abort.abort();
  return isLate;
}

async function cancelAndAnswer(running: () => readonly Drainable[], done: Promise<unknown>): Promise<void> {
  const draining = new ServerDraining();
  for (const each of running()) each.cancel(draining);
  await Promise.race([done, delay(GRACE_MS)]);
  for (const each of running()) each.forceAnswer(draining);
}

/** Limits the deadline that active requests send to the services that they call. */
export function limitDownstream(requests: Iterable<ServerRequest>, ms: number): void {
  const until = now() + ms;
  for (const each of requests) each.downstreamDeadline = Math.min(each.downstreamDeadline, until);
}
