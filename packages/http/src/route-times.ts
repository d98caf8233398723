import { Percentile } from "@throughline/resilience";

/** How many routes are kept apart; those that come later are not learnt. */
const ROUTES = 512;

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
  #routes = 0;

  /** The median of the latest requests to the route of this path, in milliseconds; `undefined` while there are too few. */
  median(method: string, path: string): number | undefined {
    return find(this.#root, [method, ...segmentsOf(path)], 0)?.value;
  }

  add(method: string, route: string, ms: number): void {
    this.#medianOf(method, route)?.add(ms);
  }

  #medianOf(method: string, route: string): Percentile | undefined {
    let node = this.#root;
    for (const name of [method, ...segmentsOf(route)]) {
      if (name.startsWith(":")) node = node.any ??= segment();
      else {
        let below = node.below.get(name);
        if (below === undefined) {
          if (this.#routes >= ROUTES) return undefined;
          below = segment();
          node.below.set(name, below);
        }
        node = below;
      }
    }
    if (node.median === undefined) {
      if (this.#routes >= ROUTES) return undefined;
      this.#routes += 1;
      node.median = new Percentile(0.5);
    }
    return node.median;
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
