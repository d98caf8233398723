import { addAbortListener } from "node:events";

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
  for (const scope of known?.scopes ?? []) {
    if (scope.poll() === undefined) scope.endBySource(signal);
  }
}
