import { now } from "@throughline/context/internal";
import { LruMap } from "@throughline/resilience/internal";

/** The fewest requests that run at the same time. */
const MIN_LIMIT = 4;
/** How much longer requests may take than usual because of those that run beside them. */
const SLOWDOWN = 2;
/** The share of requests that may be too late. */
const LATE_SHARE = 0.05;
/** The limit is set anew after so many milliseconds and so many requests. */
const STEP = 100;
const STEP_REQUESTS = 10;
/** The limit ends when nobody has waited for so many milliseconds. */
const CALM = 5000;
/** The usual time follows a decrease within about 2 s, and an increase within about 30 s. */
const FASTER = 2000;
const SLOWER = 30_000;
/** While the limit applies, it is taken as possible that requests take longer by their own: 2 % more each second. */
const DRIFT = 0.02 / 1000;
/** A limit that is lowered to this part of its first value must have shortened the time of requests to this part. */
const FUTILE = { limit: 1 / 4, slowdown: 0.8 };
/** How long requests that no limit makes faster are taken for usual, in milliseconds. */
const ACCEPTED = 30_000;
const MAX_ROUTES = 1024;

/** A request that has run. */
export interface Ran {
  readonly route: string;
  /** Milliseconds, also if it was too late. */
  readonly took: number;
  /** Whether its client had left, or its deadline had passed. */
  readonly isLate: boolean;
  /** {@link AdaptiveLimit.step} when it started. */
  readonly step: number;
}

/** The usual time of a route, as a logarithm: a mean that a few very slow requests do not shift. */
interface Usual {
  log: number;
  at: number;
}

/**
 * How many requests may run at the same time, found out by itself. There is no limit until requests are too late and,
 * at the same time, take more than twice their usual time: a slow dependency or a new mix of requests alone does not
 * limit anything. The limit is then lowered to where requests take twice the usual time, raised while they take less,
 * and ends when nobody has waited for five seconds. It also ends if requests take as long although fewer run: they wait
 * for something else than each other.
 */
export class AdaptiveLimit {
  #value = Infinity;
  /** Counts the changes of the limit. Requests that started before the latest say nothing about it. */
  step = 0;
  readonly #usual = new LruMap<string, Usual>(MAX_ROUTES, () => ({ log: NaN, at: 0 }));
  #since = now();
  #count = 0;
  #late = 0;
  #logs = 0;
  #waitedAt = -Infinity;
  #mostRunning = 0;
  #drift = 0;
  /** The first limit, and the slowdown that led to it. */
  #first = { limit: Infinity, slowdown: 1 };
  /** The logarithm of a slowdown that a limit did not change, and when that was found out. */
  #accepted = { log: 0, at: 0 };

  /** The number of requests that may run; `Infinity` for no limit. */
  get value(): number {
    if (this.#value !== Infinity && now() - this.#waitedAt > CALM) this.#change(Infinity);
    return Math.floor(this.#value);
  }

  /** A request waits, or was rejected, because of the limit. */
  waited(): void {
    this.#waitedAt = now();
  }

  /** A request has ended. */
  ran({ route, took, isLate, step }: Ran, running: number): void {
    // With a millisecond more, the noise of very short requests is no slowdown.
    const log = Math.log(took + 1);
    const usual = this.#learn(route, log);
    if (step !== this.step) return;
    this.#count += 1;
    if (isLate) this.#late += 1;
    this.#logs += log - usual;
    this.#mostRunning = Math.max(this.#mostRunning, running);
    if (this.#count >= STEP_REQUESTS && now() - this.#since >= STEP) this.#adjust();
  }

  #adjust(): void {
    const accepted = this.#accepted.log * Math.exp((this.#accepted.at - now()) / ACCEPTED);
    const slowdown = Math.exp(this.#logs / this.#count - Math.max(this.#drift, accepted));
    const isTooLate = this.#late > LATE_SHARE * this.#count;
    if (isTooLate || this.#value === Infinity) this.#drift = 0;
    else this.#drift += DRIFT * (now() - this.#since);
    // Requests that are too late although they take their usual time are so for another reason, which no limit mends.
    if (slowdown > SLOWDOWN) {
      if (this.#value !== Infinity) return this.#lower(slowdown);
      if (!isTooLate) return this.#restart();
      this.#waitedAt = now();
      this.#first = { limit: this.#mostRunning, slowdown };
      return this.#change((this.#mostRunning * SLOWDOWN) / slowdown);
    }
    if (this.#value !== Infinity && this.#waitedAt >= this.#since) {
      return this.#change(this.#value + Math.max(1, this.#value * 0.1));
    }
    this.#restart();
  }

  #lower(slowdown: number): void {
    const { limit: firstLimit, slowdown: firstSlowdown } = this.#first;
    if (this.#value <= firstLimit * FUTILE.limit && slowdown >= firstSlowdown * FUTILE.slowdown) {
      this.#accepted = { log: this.#logs / this.#count, at: now() };
      return this.#change(Infinity);
    }
    this.#change(this.#value * Math.min(0.9, Math.max(0.5, SLOWDOWN / slowdown)));
  }

  #change(value: number): void {
    this.#value = Math.max(MIN_LIMIT, value);
    this.step += 1;
    this.#restart();
  }

  #restart(): void {
    this.#since = now();
    this.#count = this.#late = this.#logs = this.#mostRunning = 0;
  }

  /** Returns the usual time of a route. While the limit applies, what is slow counts as overload. */
  #learn(route: string, log: number): number {
    const usual = this.#usual.get(route);
    const elapsed = now() - usual.at;
    usual.at = now();
    if (Number.isNaN(usual.log)) usual.log = log;
    else if (log < usual.log) usual.log += (log - usual.log) * (1 - Math.exp(-elapsed / FASTER));
    else if (this.#value === Infinity) usual.log += (log - usual.log) * (1 - Math.exp(-elapsed / SLOWER));
    return usual.log;
  }
}
