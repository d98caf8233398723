import { now } from "./clock.ts";
import { End } from "./end.ts";
import { ContextError } from "./errors.ts";
import { nodeModule } from "./node-module.ts";

/** A scope that ends when a signal aborts. */
interface Follower {
  poll(): unknown;
}

/** External signals that scopes follow. Each signal has one listener for all its scopes. */
const followed = new WeakMap<AbortSignal, { followers: Set<Follower>; stop: () => void }>();

/** Polls the scope when the signal aborts. */
export function followSignal(signal: AbortSignal, follower: Follower): void {
  let known = followed.get(signal);
  if (known === undefined) {
    known = { followers: new Set(), stop: listen(signal, () => aborted(signal)) };
    followed.set(signal, known);
  }
  known.followers.add(follower);
}

/** Stops following. The last scope removes the listener, so that a long-lived signal does not retain ended scopes. */
export function unfollowSignal(signal: AbortSignal, follower: Follower): void {
  const known = followed.get(signal);
  if (known === undefined || !known.followers.delete(follower) || known.followers.size > 0) return;
  followed.delete(signal);
  known.stop();
}

const events = nodeModule("node:events");

/** Returns a function that removes the listener. */
function listen(signal: AbortSignal, listener: () => void): () => void {
  if (events === undefined) {
    signal.addEventListener("abort", listener, { once: true });
    return () => signal.removeEventListener("abort", listener);
  }
  // Node's is also notified if another listener stops the propagation of the event.
  const added = events.addAbortListener(signal, listener);
  return () => added[Symbol.dispose]();
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
