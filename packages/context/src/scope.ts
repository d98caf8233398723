import { endOfSignal, followSignal, unfollowSignal } from "./abort-signals.ts";
import { now } from "./clock.ts";
import type { Deadline } from "./deadline.ts";
import { End } from "./end.ts";
import { arm, disarm } from "./timer-heap.ts";

/**
 * A node in the cancellation tree.
 *
 * A scope without listeners is not linked to its parent and has no timer, so it is garbage-collected even if it is
 * never canceled. It polls its parents and the clock to find out whether it has ended. The first listener (`signal`,
 * `afterFunc`) links it to its parents, which then notify it.
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
  /** The end, if it has been detected: `poll` detects it. */
  ended: End | undefined = undefined;
  /** Exists while anything listens to this scope. After the end it exists only if the scope has a signal. */
  listeners: Listeners | undefined = undefined;
  /** Whether a scope below has a deadline of its own: only then the exact time of a cancel matters. */
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
   * Returns the end of this scope, or `undefined`. The earliest of several ends counts, independent of when this is
   * called. The time of an abort is unknown if nothing listened to the signal: it counts from its detection.
   *
   * @param time on the monotonic clock, if the caller has read it
   */
  poll(time?: number): End | undefined {
    if (this.ended !== undefined) return this.ended;
    // Parents notify a scope with listeners of their end. But a signal is already aborted while its listeners are being
    // called.
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

  /** Ends this scope and all below it. Does nothing if it has ended. */
  cancel(cause: unknown): void {
    if (this.ended !== undefined) return;
    // Reading the clock takes as long as the rest of this function: read it only if a deadline may have passed before.
    const time = this.deadline !== undefined || this.hasDeadlinesBelow ? now() : -Infinity;
    if (this.poll(time) === undefined) endTree(this, End.canceled(cause, time));
  }

  /** An end of a scope above, or of a signal at or above this scope, of which this scope was not notified. */
  endAbove(): End | undefined {
    let scope: Scope | undefined = this;
    do {
      if (scope.ended !== undefined) return scope.ended;
      if (scope.source?.aborted) return endOfSignal(scope.source);
      scope = scope.parent;
    } while (scope !== undefined);
    return undefined;
  }

  /** The end by this scope's own deadline, if that passed before the end of the parent but its timer is late. */
  expiredBefore(above: End): End | undefined {
    const { deadline } = this;
    return deadline !== undefined && deadline.owner === this && deadline.at <= above.at
      ? End.expired(deadline)
      : undefined;
  }

  /**
   * Links this scope to its parents and returns its list of listeners; `undefined` for a scope that never ends. The
   * scope must not have ended.
   */
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

  /** Arms the timer of its own deadline and follows its source signal. */
  arm(): Listeners {
    if (this.deadline?.owner === this) arm(this.deadline);
    if (this.source !== undefined) followSignal(this.source, this);
    return (this.listeners = new Listeners(this));
  }

  /** Reverses {@link arm}. */
  disarm(): void {
    if (this.deadline?.owner === this) disarm(this.deadline);
    if (this.source !== undefined) unfollowSignal(this.source, this);
  }

  /**
   * Unlinks this scope from its parent if nothing listens to it. Returns the parent's list, which may now be idle too.
   */
  unlinkIfIdle(): Listeners | undefined {
    const { listeners } = this;
    if (listeners === undefined || !listeners.isIdle) return undefined;
    const above = listeners.list;
    remove(listeners);
    this.disarm();
    this.listeners = undefined;
    return above;
  }

  /** Aborts with the error of the end. It stays the same object. */
  get signal(): AbortSignal {
    const known = this.listeners?.controller;
    if (known !== undefined) return known.signal;
    const ended = this.poll();
    const listeners = (ended === undefined ? this.listen() : undefined) ?? (this.listeners ??= new Listeners(this));
    // A listener that `poll` has just notified may have created the signal.
    if (listeners.controller !== undefined) return listeners.controller.signal;
    listeners.controller = new AbortController();
    if (ended !== undefined) listeners.notify();
    return listeners.controller.signal;
  }
}

/**
 * The scope of `background` and `todo`, which never ends. It returns a new signal each time: one for the whole process
 * would accumulate the listeners of all requests.
 */
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
  /** The list that contains it, if any. */
  list: Listeners | undefined;
  /** The scope below, if this listener is the list of one. */
  readonly scope: Scope | undefined;
  /** Whether it is notified before all signals and callbacks. */
  readonly isPriority?: boolean;
  /** Called after the whole subtree was marked as ended. Must not throw. */
  notify(): void;
}

/**
 * The part of a scope that exists only while something listens to it: its position in its parent's list, its own list
 * of listeners, its signal.
 *
 * The list is doubly linked through its listeners: adding and removing one allocates nothing. A Set takes about twenty
 * times as long.
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

/**
 * Removes a listener, and unlinks the scopes above it that have no other listeners. Does nothing if it is in no list.
 */
export function stopListening(listener: Listener): void {
  const { list } = listener;
  remove(listener);
  unlinkIdle(list);
}

function unlinkIdle(from: Listeners | undefined): void {
  for (let each = from; each !== undefined; each = each.scope.unlinkIfIdle());
}

/**
 * Ends a scope and all scopes below it in two phases: mark the whole subtree, then notify. A listener therefore sees
 * the whole subtree as ended, and may cancel, listen or throw.
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
  // `ended` grows during the iteration. There is no recursion, so the depth of the tree is not limited by the stack.
  for (const listeners of ended) mark(listeners, ended, callbacks, priority);
  for (const listener of priority) listener.notify();
  for (const listeners of ended) listeners.notify();
  for (const callback of callbacks) callback.notify();
}

/**
 * Marks the scopes in a list as ended, and empties the list. A scope with a signal keeps its Listeners, as the signal
 * must stay the same object.
 */
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
