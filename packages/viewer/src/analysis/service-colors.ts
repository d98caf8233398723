/** Hues that can be told from each other; none is that of what went wrong or was canceled. */
const HUES = [255, 75, 150, 345, 200, 110, 285, 40];
/** So much further round, where there are more services than hues. */
const FURTHER = 17;

/** A hue for each service, by its name as far as no other has it, and for good: what is known already stays as it is. */
export class ServiceColors {
  readonly #hues = new Map<string, number>();
  #taken = new Set<number>();
  #rounds = 0;

  /** Those that come together are taken in order of their names, so that the same ones look the same every time. */
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
    this.#hues.set(name, (HUES[index]! + this.#rounds * FURTHER) % 360);
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
