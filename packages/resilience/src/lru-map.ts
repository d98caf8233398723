/** Values by key, each made when it is first asked for. Of more than `most` keys the least recently used is forgotten. */
export class LruMap<K, V> {
  readonly #most: number;
  readonly #make: () => V;
  /** In the order of the latest use. */
  readonly #values = new Map<K, V>();

  constructor(most: number, make: () => V) {
    this.#most = most;
    this.#make = make;
  }

  get(key: K): V {
    const value = this.#values.has(key) ? this.#values.get(key)! : this.#make();
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#most) this.#values.delete(this.#values.keys().next().value!);
    return value;
  }
}
