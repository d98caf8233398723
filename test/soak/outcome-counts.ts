import type { Seen } from "./call.ts";
import type { Kind } from "./kinds.ts";

/** Counters by name. */
export class Counts<Name extends string> {
  readonly #counts = new Map<Name, number>();

  add(name: Name, times = 1): void {
    this.#counts.set(name, this.of(name) + times);
  }

  of(name: Name): number {
    return this.#counts.get(name) ?? 0;
  }

  get total(): number {
    return this.except([]);
  }

  /** The sum of all other counters. */
  except(names: readonly Name[]): number {
    let sum = 0;
    for (const [name, count] of this.#counts) if (!names.includes(name)) sum += count;
    return sum;
  }

  /** The counters, largest first. */
  toString(): string {
    const sorted = [...this.#counts].sort(([, a], [, b]) => b - a);
    return sorted.map(([name, count]) => `${count} ${name}`).join(", ");
  }
}

/** The results of requests for their clients, by kind. */
export class OutcomeCounts {
  readonly #kinds = new Map<Kind, Counts<Seen>>();

  of(kind: Kind): Counts<Seen> {
    let counts = this.#kinds.get(kind);
    if (counts === undefined) this.#kinds.set(kind, (counts = new Counts()));
    return counts;
  }

  /** Whether a request hung. */
  get hasHung(): boolean {
    for (const counts of this.#kinds.values()) if (counts.of("hung") > 0) return true;
    return false;
  }

  get total(): number {
    let sum = 0;
    for (const counts of this.#kinds.values()) sum += counts.total;
    return sum;
  }
}
