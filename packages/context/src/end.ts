import type { Ending } from "./ending.ts";
import type { Scope } from "./scope.ts";
import { type Member, release, unlist, type Watch } from "./watch.ts";

/**
 * Ends a scope and all that hangs on it, in two steps: first everything is marked, then it is told. Whoever is told
 * finds the whole subtree ended, and may do what it likes: cancel again, observe, throw.
 */
export function endAll(scope: Scope, ending: Ending): void {
  scope.ended = ending;
  const top = scope.watch;
  if (top === undefined) return;
  const above = top.list;
  unlist(top);
  if (above !== undefined) release(above);

  const watches: Watch[] = [top];
  const first: Member[] = [];
  const callbacks: Member[] = [];
  // Grows while it is walked. There is no recursion, so depth does not matter.
  for (const watch of watches) {
    mark(watch, watches, callbacks, first);
  }
  for (const member of first) member.notify();
  for (const watch of watches) watch.notify();
  for (const callback of callbacks) callback.notify();
}

/** Marks what is listed with one scope, and leaves of that scope only its signal, which must stay the same object. */
function mark(watch: Watch, watches: Watch[], callbacks: Member[], first: Member[]): void {
  const scope = watch.scope;
  scope.forget();
  if (watch.controller === undefined) scope.watch = undefined;
  let member = watch.first;
  watch.first = undefined;
  while (member !== undefined) {
    const next: Member | undefined = member.next;
    member.list = member.next = member.previous = undefined;
    if (member.scope === undefined) {
      (member.isFirst === true ? first : callbacks).push(member);
    } else {
      member.scope.ended = member.scope.expiredBefore(scope.ended!) ?? scope.ended;
      watches.push(member as Watch);
    }
    member = next;
  }
}
