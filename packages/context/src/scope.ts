import { endOfSignal, followSignal, unfollowSignal } from "./abort-signals.ts";
import { now } from "./clock.ts";
import type { Deadline } from "./deadline.ts";
import { End } from "./end.ts";
import { arm, disarm } from "./timer-heap.ts";

/**
 * A node in the cancellation tree.
 *
 * A scope that nobody listens to is linked to nothing: its parent does not know it, and it has no timer, so a forgotten one is garbage-collected. It finds
 * out whether it has ended by polling its parents and the clock. The first listener (`signal`, `afterFunc`) links it to its parents, which then
 * notify it.
 *
 * Fields and methods are not `#private`: two installed copies of this package share one tree.
 */
export class Scope {
  /** A scope without a parent never ends. */
  readonly parent: Scope | undefined;
  /** The earliest deadline at or above this scope. */
  readonly deadline: Deadline | undefined;
  /** A signal that ends this scope when it aborts, like a second parent. */
  readonly source: AbortSignal | undefined;
  /** How it ended, as far as it has been noticed: call `poll` to know. */
  ended: End | undefined = undefined;
  /** Exists while anything listens to this scope; after its end only if it has a signal. */
  listeners: Listeners | undefined = undefined;
  /** Whether a scope below has a deadline of its own: only then it matters when exactly this one ended. */
  hasDeadlinesBelow = false;
  /** Whether this scope, or one above, has a `source`. */
  readonly hasSource: boolean;

  constructor(parent?: Scope, deadline?: Deadline, source?: AbortSignal) {
    this.parent = parent;
    this.deadline = deadline;
    this.source = source;
    this.hasSource = source !== undefined || parent?.hasSource === true;
    if (deadline !== undefined && deadline !== parent?.deadline) {
      deadline.owner = this;
      for (let above = parent; above?.hasDeadlinesBelow === false; above = above.parent) above.hasDeadlinesBelow = true;
    }
  }

  /**
   * How this scope ended, if it has. Of several ends the earliest counts, independent of when this is called. (When a signal aborted that nobody listened
   * to is unknown: it counts from when it is noticed.)
   *
   * @param time on the monotonic clock, if the caller has read it
   */
  poll(time?: number): End | undefined {
    if (this.ended !== undefined) return this.ended;
    // A scope with listeners has been notified of all ends above; but a signal is aborted some time before all its listeners are called.
    const above = this.listeners === undefined || this.hasSource ? this.endAbove() : undefined;
    const deadline = this.deadline;
    if (deadline !== undefined && deadline.at <= (above === undefined ? (time ?? now()) : above.at)) {
      const own = deadline.owner === this ? undefined : (deadline.owner as Scope).poll(time);
      endTree(this, own ?? End.expired(deadline));
    } else if (above !== undefined) {
      endTree(this, above);
    }
    return this.ended;
  }

  /** Ends this scope and all below it. Does nothing if it has ended: the first end counts. */
  cancel(cause: unknown): void {
    if (this.ended !== undefined) return;
    // Reading the clock costs as much as all the rest: it is read only if a deadline may have passed before.
    const time = this.deadline !== undefined || this.hasDeadlinesBelow ? now() : -Infinity;
    if (this.poll(time) === undefined) endTree(this, End.canceled(cause, time));
  }

  /** The end of a scope above, or of a signal at or above this scope, that this scope was not notified of. */
  endAbove(): End | undefined {
    let scope: Scope | undefined = this;
    do {
      if (scope.ended !== undefined) return scope.ended;
      if (scope.source?.aborted) return endOfSignal(scope.source);
      scope = scope.parent;
    } while (scope !== undefined);
    return undefined;
  }

  /** The end by this scope's own deadline, if that passed before an end that comes from above, and its timer is late. */
  expiredBefore(above: End): End | undefined {
    const { deadline } = this;
    return deadline !== undefined && deadline.owner === this && deadline.at <= above.at
      ? End.expired(deadline)
      : undefined;
  }

  /** Links this scope to its parents, and returns its list of listeners; `undefined` for a scope that never ends. It must not have ended. */
  listen(): Listeners | undefined {
    let below: Listeners | undefined;
    for (let scope: Scope = this; scope.parent !== undefined; scope = scope.parent) {
      const known = scope.listeners;
      const listeners: Listeners = known ?? scope.arm();
      if (below !== undefined) listeners.add(below);
      if (known !== undefined) break;
      below = listeners;
    }
    return this.parent === undefined ? undefined : this.listeners;
  }

  /** Sets the timer of its own deadline, and the listener on its signal. */
  arm(): Listeners {
    if (this.deadline?.owner === this) arm(this.deadline);
    if (this.source !== undefined) followSignal(this.source, this);
    return (this.listeners = new Listeners(this));
  }

  /** Removes what {@link arm} set. */
  disarm(): void {
    if (this.deadline?.owner === this) disarm(this.deadline);
    if (this.source !== undefined) unfollowSignal(this.source, this);
  }

  /** Unlinks this scope from its parent if nothing listens to it any more. Returns the list that it left, which may now be idle too. */
  unlinkIfIdle(): Listeners | undefined {
    const { listeners } = this;
    if (listeners === undefined || !listeners.isIdle) return undefined;
    const above = listeners.list;
    remove(listeners);
    this.disarm();
    this.listeners = undefined;
    return above;
  }

  /** Aborts with the error of the end. Always the same object. */
  get signal(): AbortSignal {
    const known = this.listeners?.controller;
    if (known !== undefined) return known.signal;
    const ended = this.poll();
    const listeners = (ended === undefined ? this.listen() : undefined) ?? (this.listeners ??= new Listeners(this));
    // A listener that `poll` has just notified may have asked for the signal too.
    if (listeners.controller !== undefined) return listeners.controller.signal;
    listeners.controller = new AbortController();
    if (ended !== undefined) listeners.notify();
    return listeners.controller.signal;
  }
}

/** The scope of `background` and `todo`, which never ends. A signal that lived as long as the process would collect the listeners of all requests. */
class Root extends Scope {
  override get signal(): AbortSignal {
    return new AbortController().signal;
  }
}

export const ROOT: Scope = new Root();

/** A listener on the end of a scope: a callback, or the listeners of a scope below. */
export interface Listener {
  next: Listener | undefined;
  previous: Listener | undefined;
  /** The list that it is in, if any. */
  list: Listeners | undefined;
  /** The scope below, if this is one. */
  readonly scope: Scope | undefined;
  /** Whether it is notified before all signals and other listeners. */
  readonly isPriority?: boolean;
  /** Called when the whole subtree has been marked as ended. Must not throw. */
  notify(): void;
}

/**
 * The part of a scope that exists only while something listens to it: its place in its parent's list, its own list, its signal.
 *
 * The list is doubly linked through its listeners: adding and removing one costs a few writes and allocates nothing. A Set costs some twenty times as much.
 */
export class Listeners implements Listener {
  next: Listener | undefined = undefined;
  previous: Listener | undefined = undefined;
  list: Listeners | undefined = undefined;
  first: Listener | undefined = undefined;
  controller: AbortController | undefined = undefined;
  readonly scope: Scope;

  constructor(scope: Scope) {
    this.scope = scope;
  }

  add(listener: Listener): void {
    listener.list = this;
    listener.next = this.first;
    if (this.first !== undefined) this.first.previous = listener;
    this.first = listener;
  }

  notify(): void {
    this.controller?.abort(this.scope.ended!.error);
  }

  get isIdle(): boolean {
    return this.first === undefined && this.controller === undefined;
  }
}

function remove(listener: Listener): void {
  const { list, next, previous } = listener;
  if (list === undefined) return;
  if (next !== undefined) next.previous = previous;
  if (previous === undefined) list.first = next;
  else previous.next = next;
  listener.list = listener.next = listener.previous = undefined;
}

/** Removes a listener, and unlinks the scopes above it that nothing else listens to. Does nothing if it is in no list. */
export function stopListening(listener: Listener): void {
  const { list } = listener;
  remove(listener);
  unlinkIdle(list);
}

function unlinkIdle(from: Listeners | undefined): void {
  for (let each = from; each !== undefined; each = each.scope.unlinkIfIdle());
}

/**
 * Ends a scope and all scopes below it in two phases: it marks the whole subtree, then notifies. So a listener always finds the whole subtree ended, and
 * may cancel again, listen, or throw.
 */
function endTree(scope: Scope, end: End): void {
  scope.ended = end;
  const top = scope.listeners;
  if (top === undefined) return;
  const above = top.list;
  remove(top);
  unlinkIdle(above);

  const ended: Listeners[] = [top];
  const priority: Listener[] = [];
  const callbacks: Listener[] = [];
  // Grows while it is iterated. There is no recursion, so the depth of the tree does not matter.
  for (const listeners of ended) mark(listeners, ended, callbacks, priority);
  for (const listener of priority) listener.notify();
  for (const listeners of ended) listeners.notify();
  for (const callback of callbacks) callback.notify();
}

/** Marks the scopes in a list as ended, and empties it. A scope with a signal keeps its Listeners, as the signal must stay the same object. */
function mark(listeners: Listeners, ended: Listeners[], callbacks: Listener[], priority: Listener[]): void {
  const scope = listeners.scope;
  scope.disarm();
  if (listeners.controller === undefined) scope.listeners = undefined;
  let listener = listeners.first;
  listeners.first = undefined;
  while (listener !== undefined) {
    const next: Listener | undefined = listener.next;
    listener.list = listener.next = listener.previous = undefined;
    if (listener.scope === undefined) {
      (listener.isPriority === true ? priority : callbacks).push(listener);
    } else {
      listener.scope.ended = listener.scope.expiredBefore(scope.ended!) ?? scope.ended;
      ended.push(listener as Listeners);
    }
    listener = next;
  }
}
