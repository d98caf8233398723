import { Percentile } from "@throughline/resilience";

/** The largest number of segments of all routes together. Further routes are not recorded. */
const MAX_SEGMENTS = 4096;
/** The largest number of segments of one route. */
const MAX_DEPTH = 32;

/** A node in the tree of recorded routes. */
interface Segment {
  readonly below: Map<string, Segment>;
  /** The node of a parameter (`:name`), which matches any one segment. */
  parameter: Segment | undefined;
  median: Percentile | undefined;
}

/**
 * The median time of requests by route. A request is recorded with its route when it has ended. A new request is looked
 * up by its path, before a router has matched it, among the recorded routes.
 */
export class RouteTimes {
  readonly #root: Segment = segment();
  #segments = 0;

  /** The median of the latest requests to the route of this path, in milliseconds. `undefined` if there are too few. */
  median(method: string, path: string): number | undefined {
    const names = [method, ...segmentsOf(path)];
    return names.length > MAX_DEPTH ? undefined : find(this.#root, names, 0)?.value;
  }

  add(method: string, route: string, ms: number): void {
    this.#medianOf(method, route)?.add(ms);
  }

  #medianOf(method: string, route: string): Percentile | undefined {
    const names = [method, ...segmentsOf(route)];
    if (names.length > MAX_DEPTH) return undefined;
    let node: Segment | undefined = this.#root;
    for (const name of names) node = node === undefined ? undefined : this.#below(node, name);
    return node === undefined ? undefined : (node.median ??= new Percentile(0.5));
  }

  #below(node: Segment, name: string): Segment | undefined {
    const known = name.startsWith(":") ? node.parameter : node.below.get(name);
    if (known !== undefined || this.#segments >= MAX_SEGMENTS) return known;
    this.#segments += 1;
    const made = segment();
    if (name.startsWith(":")) node.parameter = made;
    else node.below.set(name, made);
    return made;
  }
}

/** Finds the node of a path. A literal segment is preferred to a parameter. */
function find(node: Segment, path: readonly string[], at: number): Percentile | undefined {
  if (at === path.length) return node.median;
  const exact = node.below.get(path[at]!);
  const found = exact === undefined ? undefined : find(exact, path, at + 1);
  return found ?? (node.parameter === undefined ? undefined : find(node.parameter, path, at + 1));
}

function segment(): Segment {
  return { below: new Map(), parameter: undefined, median: undefined };
}

function segmentsOf(path: string): string[] {
  const mark = path.indexOf("?");
  return (mark === -1 ? path : path.slice(0, mark)).split("/").filter((each) => each !== "");
}
