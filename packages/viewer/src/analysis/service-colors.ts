/** Distinguishable hues, apart from those of errors and cancellations. */
const HUES = [255, 75, 150, 345, 200, 110, 285, 40];
/** Degrees by which the hues shift each time all have been assigned. */
const SHIFT = 17;

/** Assigns a hue to each service by the hash of its name, or the next free one. An assigned hue never changes. */
export class ServiceColors {
  readonly #hues = new Map<string, number>();
  #taken = new Set<number>();
  #rounds = 0;

  /** Sorts the names first, so that the same set of services always gets the same hues. */
  add(services: Iterable<string>): void {
    for (const name of [...new Set(services)].sort()) if (!this.#hues.has(name)) this.#choose(name);
  }

  hue(service: string): number {
    return this.#hues.get(service) ?? HUES[0]!;
  }

  #choose(name: string): void {
    if (this.#taken.size === HUES.length) {
      this.#taken = new Set();
      this.#rounds += 1;
    }
    let index = hash(name) % HUES.length;
    while (this.#taken.has(index)) index = (index + 1) % HUES.length;
    this.#taken.add(index);
    this.#hues.set(name, (HUES[index]! + this.#rounds * SHIFT) % 360);
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return value;
}
