import { addAbortListener } from "node:events";

import { now } from "./clock.ts";
import { Ending } from "./ending.ts";
import { ContextError } from "./errors.ts";
import type { Scope } from "./scope.ts";

/** Foreign signals that somebody watches, each with one listener however many scopes hang on it. */
const followed = new WeakMap<AbortSignal, { scopes: Set<Scope>; listener: Disposable }>();

/** Has the scope told when the signal aborts. */
export function follow(signal: AbortSignal, scope: Scope): void {
  let known = followed.get(signal);
  if (known === undefined) {
    // Heard even where another listener stops the propagation of the event.
    known = { scopes: new Set(), listener: addAbortListener(signal, () => aborted(signal)) };
    followed.set(signal, known);
  }
  known.scopes.add(scope);
}

/** Takes the listener away with its last scope, so that a long-lived signal holds nothing of what is over. */
export function unfollow(signal: AbortSignal, scope: Scope): void {
  const known = followed.get(signal);
  if (known === undefined || !known.scopes.delete(scope) || known.scopes.size > 0) return;
  followed.delete(signal);
  known.listener[Symbol.dispose]();
}

function aborted(signal: AbortSignal): void {
  const known = followed.get(signal);
  followed.delete(signal);
  for (const scope of known?.scopes ?? []) scope.poll();
}

const endings = new WeakMap<AbortSignal, Ending>();

/** The end that an aborted signal stands for: one, for all contexts that end with it. */
export function endingBy(signal: AbortSignal): Ending {
  let known = endings.get(signal);
  if (known === undefined) {
    const reason: unknown = signal.reason;
    known = reason instanceof ContextError ? Ending.of(reason, now()) : Ending.canceled(reason, now());
    endings.set(signal, known);
  }
  return known;
}
