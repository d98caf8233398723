import { Percentile } from "@throughline/resilience";

/** How much is kept: so many segments of all routes together, and of one. What comes later is not learnt. */
const SEGMENTS = 4096;
const DEEPEST = 32;

/** Segments of the routes that were seen, as a tree. */
interface Segment {
  readonly below: Map<string, Segment>;
  /** For `:name`, which stands for any one segment. */
  any: Segment | undefined;
  median: Percentile | undefined;
}

/**
 * How long requests take, route by route. It is told the route when a request is over, and is asked by path when one arrives, before any
 * router has matched it: the routes that it has seen tell which it will be.
 */
export class RouteTimes {
  readonly #root: Segment = segment();
  #segments = 0;

  /** The median of the latest requests to the route of this path, in milliseconds; `undefined` while there are too few. */
  median(method: string, path: string): number | undefined {
    const names = [method, ...segmentsOf(path)];
    return names.length > DEEPEST ? undefined : find(this.#root, names, 0)?.value;
  }

  add(method: string, route: string, ms: number): void {
    this.#medianOf(method, route)?.add(ms);
  }

  #medianOf(method: string, route: string): Percentile | undefined {
    const names = [method, ...segmentsOf(route)];
    if (names.length > DEEPEST) return undefined;
    let node: Segment | undefined = this.#root;
    for (const name of names) node = node === undefined ? undefined : this.#below(node, name);
    return node === undefined ? undefined : (node.median ??= new Percentile(0.5));
  }

  #below(node: Segment, name: string): Segment | undefined {
    const known = name.startsWith(":") ? node.any : node.below.get(name);
    if (known !== undefined || this.#segments >= SEGMENTS) return known;
    this.#segments += 1;
    const made = segment();
    if (name.startsWith(":")) node.any = made;
    else node.below.set(name, made);
    return made;
  }
}

/** What is written out goes before what stands for anything. */
function find(node: Segment, path: readonly string[], at: number): Percentile | undefined {
  if (at === path.length) return node.median;
  const exact = node.below.get(path[at]!);
  const found = exact === undefined ? undefined : find(exact, path, at + 1);
  return found ?? (node.any === undefined ? undefined : find(node.any, path, at + 1));
}

function segment(): Segment {
  return { below: new Map(), any: undefined, median: undefined };
}

function segmentsOf(path: string): string[] {
  const mark = path.indexOf("?");
  return (mark === -1 ? path : path.slice(0, mark)).split("/").filter((each) => each !== "");
}
