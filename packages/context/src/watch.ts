import type { Scope } from "./scope.ts";

/** One that wants to hear of the end of a scope: a scope below it, or a callback. */
export interface Member {
  next: Member | undefined;
  previous: Member | undefined;
  /** Where it is listed; `undefined` when it is not. */
  list: Watch | undefined;
  /** The scope below, if this is one. */
  readonly scope: Scope | undefined;
  /** Whether it is told before all others. */
  readonly isFirst?: boolean;
  /** Called once everything that ends has been marked. Must not throw. */
  notify(): void;
}

/**
 * What exists of a scope only while it is observed: its place among its parent's members, its own members, its signal.
 *
 * Members form an intrusive doubly linked list: adding and removing one costs a few writes and allocates nothing, where
 * a Set costs some twenty times as much.
 */
export class Watch implements Member {
  next: Member | undefined = undefined;
  previous: Member | undefined = undefined;
  list: Watch | undefined = undefined;
  first: Member | undefined = undefined;
  controller: AbortController | undefined = undefined;
  readonly scope: Scope;

  constructor(scope: Scope) {
    this.scope = scope;
  }

  add(member: Member): void {
    member.list = this;
    member.next = this.first;
    if (this.first !== undefined) this.first.previous = member;
    this.first = member;
  }

  notify(): void {
    this.controller?.abort(this.scope.ended!.error);
  }

  /** Nobody listens any more: the scope need not stay linked to its parent. */
  get idle(): boolean {
    return this.first === undefined && this.controller === undefined;
  }
}

/** Takes a member out of the list it is in. Does nothing if it is in none. */
export function unlist(member: Member): void {
  const { list, next, previous } = member;
  if (list === undefined) return;
  if (next !== undefined) next.previous = previous;
  if (previous === undefined) list.first = next;
  else previous.next = next;
  member.list = member.next = member.previous = undefined;
}

/** Lets go of scopes upwards that nobody observes any more. */
export function release(watch: Watch): void {
  for (let each: Watch | undefined = watch; each !== undefined; each = each.scope.leave());
}
