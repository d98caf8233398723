/** A service and what it does for a request. */
export interface ServiceSpec {
  readonly name: string;
  /** The mean time of its own work, in milliseconds, which it does in a place of its pool. */
  readonly work: number;
  /** The number of places of its pool. @default no limit */
  readonly places?: number;
  /** The services that it calls for a request, one after another. Of several names, one is called. */
  readonly calls?: readonly (string | readonly string[])[];
}

/** Something that goes wrong for a time. */
export interface Trouble {
  readonly service: string;
  /** Seconds after the start. */
  readonly from: number;
  readonly to: number;
  /** Its work takes so many times as long. */
  readonly slower?: number;
  /** The share of its requests that fail at once. */
  readonly failing?: number;
}

export interface Topology {
  /** The service that clients call. */
  readonly entry: string;
  readonly services: readonly ServiceSpec[];
  readonly troubles?: readonly Trouble[];
}

/**
 * Services in layers, of which each calls two of the next layer. Their pools have places for a quarter more than the
 * work that `clients` a second cause.
 */
export function layers(services: number, depth: number, clients: number, random: () => number): Topology {
  // Each layer has as many services as all layers before it, as each client's request is twice as many there.
  const sizes = Array.from({ length: depth }, (_, layer) =>
    layer === 0 ? 1 : Math.round(((services - 1) * 2 ** (layer - 1)) / (2 ** (depth - 1) - 1)),
  );
  const nameOf = (layer: number, index: number): string => `s${layer}-${index}`;
  const rates = new Map([[nameOf(0, 0), clients]]);
  const specs: ServiceSpec[] = [];
  for (const [layer, size] of sizes.entries()) {
    for (let index = 0; index < size; index++) {
      const name = nameOf(layer, index);
      const rate = rates.get(name) ?? 0;
      const next = sizes[layer + 1] ?? 0;
      // Of two different services each: those at its own place, and one at random.
      const targets = next === 0 ? [] : [(index * 2) % next, Math.floor(random() * next)];
      const calls = targets.map((target) => nameOf(layer + 1, target));
      for (const call of calls) rates.set(call, (rates.get(call) ?? 0) + rate);
      const work = 1 + random() * 4;
      specs.push({ name, work, places: Math.max(2, Math.ceil((rate * work * 1.25) / 1000)), calls });
    }
  }
  return { entry: nameOf(0, 0), services: specs };
}

/** Three tiers, as those of the overload benchmark: a gateway, four services, a store with a pool. */
export function threeTiers(places: number, work: number): Topology {
  const names = ["a", "b", "c", "d"];
  return {
    entry: "gateway",
    services: [
      { name: "gateway", work: 0, calls: [names] },
      ...names.map((name) => ({ name, work: 0, calls: ["store"] })),
      { name: "store", work, places },
    ],
  };
}
