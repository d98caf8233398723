/** How many of the latest times of a route are kept. */
const KEPT = 64;
/** With fewer, nothing is said of a route. */
const ENOUGH = 16;
/** How many routes are kept apart; those that come later are not learnt. */
const ROUTES = 512;

interface Times {
  readonly latest: number[];
  next: number;
  median: number | undefined;
}

/** Segments of the routes that were seen, as a tree. */
interface Segment {
  readonly below: Map<string, Segment>;
  /** For `:name`, which stands for any one segment. */
  any: Segment | undefined;
  times: Times | undefined;
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
    const times = find(this.#root, [method, ...segmentsOf(path)], 0);
    if (times === undefined || times.latest.length < ENOUGH) return undefined;
    return (times.median ??= times.latest.toSorted((a, b) => a - b)[times.latest.length >> 1]!);
  }

  add(method: string, route: string, ms: number): void {
    const times = this.#timesOf(method, route);
    if (times === undefined) return;
    times.latest[times.next] = ms;
    times.next = (times.next + 1) % KEPT;
    times.median = undefined;
  }

  #timesOf(method: string, route: string): Times | undefined {
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
    if (node.times === undefined) {
      if (this.#routes >= ROUTES) return undefined;
      this.#routes += 1;
      node.times = { latest: [], next: 0, median: undefined };
    }
    return node.times;
  }
}

/** What is written out goes before what stands for anything. */
function find(node: Segment, path: readonly string[], at: number): Times | undefined {
  if (at === path.length) return node.times;
  const exact = node.below.get(path[at]!);
  const found = exact === undefined ? undefined : find(exact, path, at + 1);
  return found ?? (node.any === undefined ? undefined : find(node.any, path, at + 1));
}

function segment(): Segment {
  return { below: new Map(), any: undefined, times: undefined };
}

function segmentsOf(path: string): string[] {
  const mark = path.indexOf("?");
  return (mark === -1 ? path : path.slice(0, mark)).split("/").filter((each) => each !== "");
}
