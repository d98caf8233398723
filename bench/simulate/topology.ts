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
