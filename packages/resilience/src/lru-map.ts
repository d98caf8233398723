/** A map that creates values on demand and evicts the least recently used key above a capacity. */
export class LruMap<K, V> {
  readonly #capacity: number;
  readonly #create: (key: K) => V;
  /** The least recently used key first. */
  readonly #values = new Map<K, V>();

  constructor(capacity: number, create: (key: K) => V) {
    this.#capacity = capacity;
    this.#create = create;
  }

  get(key: K): V {
    const value = this.#values.has(key) ? this.#values.get(key)! : this.#create(key);
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#capacity) this.#values.delete(this.#values.keys().next().value!);
    return value;
  }
}
