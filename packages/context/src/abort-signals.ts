import { addAbortListener } from "node:events";

import { now } from "./clock.ts";
import { End } from "./end.ts";
import { ContextError } from "./errors.ts";

/** A scope that ends when a signal aborts. */
interface Follower {
  poll(): unknown;
}

/** External signals that scopes follow. Each signal has one listener for all its scopes. */
const followed = new WeakMap<AbortSignal, { followers: Set<Follower>; listener: Disposable }>();

/** Polls the scope when the signal aborts. */
export function followSignal(signal: AbortSignal, follower: Follower): void {
  let known = followed.get(signal);
  if (known === undefined) {
    // `addAbortListener` is also notified if another listener stops the propagation of the event.
    known = { followers: new Set(), listener: addAbortListener(signal, () => aborted(signal)) };
    followed.set(signal, known);
  }
  known.followers.add(follower);
}

/** Stops following. The last scope removes the listener, so that a long-lived signal does not retain ended scopes. */
export function unfollowSignal(signal: AbortSignal, follower: Follower): void {
  const known = followed.get(signal);
  if (known === undefined || !known.followers.delete(follower) || known.followers.size > 0) return;
  followed.delete(signal);
  known.listener[Symbol.dispose]();
}

function aborted(signal: AbortSignal): void {
  const known = followed.get(signal);
  followed.delete(signal);
  for (const follower of known?.followers ?? []) follower.poll();
}

const ends = new WeakMap<AbortSignal, End>();

/** The end that corresponds to an aborted signal. All contexts that end with the signal share it. */
export function endOfSignal(signal: AbortSignal): End {
  let known = ends.get(signal);
  if (known === undefined) {
    const reason: unknown = signal.reason;
    known = reason instanceof ContextError ? End.of(reason, now()) : End.canceled(reason, now());
    ends.set(signal, known);
  }
  return known;
}
