import { arm, now } from "@throughline/context/internal";
import { type Criticality, rank } from "@throughline/resilience/internal";

/** How often the event loop is probed, in milliseconds. */
const PROBE = 50;
/** A loop that is later than this, at each of the latest probes, has too much to do. */
const TARGET = 40;
/** A single pause, such as a garbage collection, delays one probe. */
const PROBES = 4;
/** After so many milliseconds without a request, the lag is unknown. */
const FORGET = 1000;
const MAX_SHARE = 0.98;

/**
 * Decides which requests a process rejects because its event loop is late. Handlers that compute wait for each other
 * before they start, in the sockets of the operating system, where no limit of concurrency sees them. So a share of the
 * requests is rejected, which rises while the loop is late and falls while it is not; the least critical requests
 * first.
 */
export class EventLoopLag {
  readonly #lags: number[] = [];
  #share = 0;
  #isProbing = false;
  #askedAt = -Infinity;

  /** The share of requests of default criticality that is rejected: 0 for none. */
  get share(): number {
    return this.#share;
  }

  /** Whether to reject a request. Call it for each request: it also starts the next probe. */
  rejects(criticality: Criticality): boolean {
    if (now() - this.#askedAt > FORGET) this.#forget();
    this.#askedAt = now();
    this.#probe();
    return this.#share > 0 && Math.random() < shareOf(criticality, this.#share);
  }

  #probe(): void {
    if (this.#isProbing) return;
    this.#isProbing = true;
    const at = now() + PROBE;
    // Unlike that of `callAfter`, it does not keep the process alive.
    arm({ at, slot: -1, fire: () => this.#probed(now() - at) });
  }

  #probed(lag: number): void {
    this.#isProbing = false;
    this.#lags.push(lag);
    if (this.#lags.length > PROBES) this.#lags.shift();
    const least = Math.min(...this.#lags);
    if (this.#lags.length === PROBES && least > TARGET) {
      this.#share = Math.min(MAX_SHARE, this.#share + 0.05 + 0.1 * Math.min(1, (least - TARGET) / 100));
    } else if (lag < TARGET) this.#share = Math.max(0, this.#share - 0.02);
  }

  #forget(): void {
    this.#share = 0;
    this.#lags.length = 0;
  }
}

/** Sheddable requests are rejected twice as often as others; critical ones only when all sheddable ones are. */
function shareOf(criticality: Criticality, share: number): number {
  const place = rank(criticality) - rank("default");
  if (place < 0) return Math.min(1, 2 * share);
  return place === 0 ? share : Math.max(0, 2 * share - 1);
}
