import { now } from "./clock.ts";
import { endAll } from "./end.ts";
import { Ending } from "./ending.ts";
import type { Limit } from "./limit.ts";
import { endingBy, follow, unfollow } from "./sources.ts";
import { arm, disarm } from "./timers.ts";
import { unlist, Watch } from "./watch.ts";

/**
 * A node in the tree of cancellation.
 *
 * Until somebody observes it, a scope is known to nobody: it is not listed with its parent and has no timer, so one
 * that is forgotten is simply collected. Whoever polls it has it look upwards and at the clock. From the first observer
 * on (`signal`, `afterFunc`) it is linked upwards, and its end is told.
 *
 * Fields and methods are not `#private`: two installed copies of this package share one tree.
 */
export class Scope {
  /** The next scope upwards; a scope without one never ends. */
  readonly parent: Scope | undefined;
  /** The earliest deadline at or above this scope. */
  readonly limit: Limit | undefined;
  /** A signal whose abort ends this scope, as if it were a second parent. */
  readonly source: AbortSignal | undefined;
  /** How it ended, as far as it has been noticed: ask `poll`. */
  ended: Ending | undefined = undefined;
  /** Exists while this scope is observed; after its end only if it has a signal. */
  watch: Watch | undefined = undefined;
  /** Whether a scope below has a deadline of its own, so that it matters when exactly this one ended. */
  hasLimitsBelow = false;
  /** Whether this scope, or one above, also ends with a signal. */
  readonly hasSource: boolean;

  constructor(parent?: Scope, limit?: Limit, source?: AbortSignal) {
    this.parent = parent;
    this.limit = limit;
    this.source = source;
    this.hasSource = source !== undefined || parent?.hasSource === true;
    if (limit !== undefined && limit !== parent?.limit) {
      limit.scope = this;
      for (let above = parent; above?.hasLimitsBelow === false; above = above.parent) above.hasLimitsBelow = true;
    }
  }

  /**
   * How this scope ended, if it has. Of several ends the earliest counts, whenever one asks. (When a signal aborted
   * that nobody listened to cannot be known: it counts from when it is noticed.)
   *
   * @param time on the monotonic clock, if the caller has read it
   */
  poll(time?: number): Ending | undefined {
    if (this.ended !== undefined) return this.ended;
    // A watched scope has been told of all that ended above; but a signal is aborted some time before all its listeners know.
    const above = this.watch === undefined || this.hasSource ? this.endAbove() : undefined;
    const limit = this.limit;
    if (limit !== undefined && limit.at <= (above === undefined ? (time ?? now()) : above.at)) {
      const own = limit.scope === this ? undefined : limit.scope.poll(time);
      endAll(this, own ?? Ending.expired(limit));
    } else if (above !== undefined) {
      endAll(this, above);
    }
    return this.ended;
  }

  /** Ends this scope and all below it, unless it has ended already: the first end counts. */
  cancel(cause: unknown): void {
    if (this.ended !== undefined) return;
    // To read the clock costs as much as all the rest: only where a deadline may have come before.
    const time = this.limit !== undefined || this.hasLimitsBelow ? now() : -Infinity;
    if (this.poll(time) === undefined) endAll(this, Ending.canceled(cause, time));
  }

  /** The end of a scope above, or of a signal at or above this one, that nobody told this one. */
  endAbove(): Ending | undefined {
    let scope: Scope | undefined = this;
    do {
      if (scope.ended !== undefined) return scope.ended;
      if (scope.source?.aborted) return endingBy(scope.source);
      scope = scope.parent;
    } while (scope !== undefined);
    return undefined;
  }

  /** The end by this scope's own deadline, if that had passed before one that comes from above, and its timer is late. */
  expiredBefore(above: Ending): Ending | undefined {
    const { limit } = this;
    return limit !== undefined && limit.scope === this && limit.at <= above.at ? Ending.expired(limit) : undefined;
  }

  /** Starts to be told of the end. The scope must not have ended. Returns `undefined` for one that never will. */
  observe(): Watch | undefined {
    let below: Watch | undefined;
    for (let scope: Scope = this; scope.parent !== undefined; scope = scope.parent) {
      const known = scope.watch;
      const watch: Watch = known ?? scope.attend();
      if (below !== undefined) watch.add(below);
      if (known !== undefined) break;
      below = watch;
    }
    return this.parent === undefined ? undefined : this.watch;
  }

  /** Sets what tells this scope by itself: the timer of its own deadline, the listener on its signal. */
  attend(): Watch {
    if (this.limit?.scope === this) arm(this.limit);
    if (this.source !== undefined) follow(this.source, this);
    return (this.watch = new Watch(this));
  }

  /** Takes away what {@link attend} set. */
  forget(): void {
    if (this.limit?.scope === this) disarm(this.limit);
    if (this.source !== undefined) unfollow(this.source, this);
  }

  /** Stops being told, if nobody listens any more. Returns the list that it left, which may now be idle too. */
  leave(): Watch | undefined {
    const { watch } = this;
    if (watch === undefined || !watch.idle) return undefined;
    const above = watch.list;
    unlist(watch);
    this.forget();
    this.watch = undefined;
    return above;
  }

  /** Aborts with the error of the end; always the same. */
  get signal(): AbortSignal {
    const known = this.watch?.controller;
    if (known !== undefined) return known.signal;
    const ended = this.poll();
    const watch = (ended === undefined ? this.observe() : undefined) ?? (this.watch ??= new Watch(this));
    // Those who were told of the end just now may have asked for the signal too.
    if (watch.controller !== undefined) return watch.controller.signal;
    watch.controller = new AbortController();
    if (ended !== undefined) watch.notify();
    return watch.controller.signal;
  }
}

/** The scope of `background` and `todo`, which never ends. It lives as long as the process: a signal of its own would collect the listeners of every request. */
class Root extends Scope {
  override get signal(): AbortSignal {
    return new AbortController().signal;
  }
}

export const ROOT: Scope = new Root();
