import type { ServiceCall, ServiceGraph, ServiceNode } from "../api.ts";

/** A service with the center of its box. */
export interface PlacedNode {
  readonly node: ServiceNode;
  readonly x: number;
  readonly y: number;
}

export interface PlacedCall {
  readonly call: ServiceCall;
  readonly from: PlacedNode;
  readonly to: PlacedNode;
}

export interface GraphLayout {
  readonly nodes: readonly PlacedNode[];
  readonly calls: readonly PlacedCall[];
  readonly width: number;
  readonly height: number;
}

export interface GraphSpacing {
  /** Distance between the centers of two layers. */
  readonly across: number;
  /** Distance between the centers of two boxes of a layer. */
  readonly down: number;
}

/** Returns the services whose name has a text, with their callers and callees; all for an empty text. */
export function neighborhood(graph: ServiceGraph, text: string): ServiceGraph {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return graph;
  const found = new Set(graph.services.flatMap(({ name }) => (name.toLowerCase().includes(wanted) ? [name] : [])));
  const calls = graph.calls.filter(({ from, to }) => found.has(from) || found.has(to));
  const shown = new Set([...found, ...calls.flatMap(({ from, to }) => [from, to])]);
  return { services: graph.services.filter(({ name }) => shown.has(name)), calls };
}

/** Places callers left of their callees, and each service of a layer near its callers, so that few lines cross. */
export function layOut({ services, calls }: ServiceGraph, { across, down }: GraphSpacing): GraphLayout {
  const known = new Map(services.map((node) => [node.name, node]));
  const drawn = calls.filter(({ from, to }) => from !== to && known.has(from) && known.has(to));
  const layers = layersOf([...known.keys()], drawn);
  const tallest = layers.reduce((most, layer) => Math.max(most, layer.length), 0);
  const places = new Map<string, PlacedNode>();
  for (const [depth, layer] of layers.entries()) {
    const pull = (name: string): number => {
      const callers = drawn.flatMap(({ from, to }) => (to === name ? (places.get(from)?.y ?? []) : []));
      return callers.length === 0 ? 0 : callers.reduce((sum, y) => sum + y, 0) / callers.length;
    };
    const sorted = layer.sort((a, b) => pull(a) - pull(b) || (a < b ? -1 : 1));
    for (const [index, name] of sorted.entries()) {
      const y = (index + 0.5 + (tallest - sorted.length) / 2) * down;
      places.set(name, { node: known.get(name)!, x: (depth + 0.5) * across, y });
    }
  }
  return {
    nodes: [...places.values()],
    calls: drawn.map((call) => ({ call, from: places.get(call.from)!, to: places.get(call.to)! })),
    width: layers.length * across,
    height: tallest * down,
  };
}

/** Assigns layers by the longest path from a service without callers. Calls that close a cycle are ignored. */
function layersOf(names: readonly string[], calls: readonly ServiceCall[]): string[][] {
  const callees = Map.groupBy(calls, ({ from }) => from);
  const called = new Set(calls.map(({ to }) => to));
  const state = new Map<string, "open" | "done">();
  const forward: [string, string][] = [];
  const finished: string[] = [];
  for (const start of [...names.filter((name) => !called.has(name)), ...names]) {
    const stack = [{ name: start, isLeaving: false }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { name, isLeaving } = next;
      if (isLeaving) {
        state.set(name, "done");
        finished.push(name);
        continue;
      }
      if (state.has(name)) continue;
      state.set(name, "open");
      stack.push({ name, isLeaving: true });
      for (const { to } of callees.get(name) ?? []) if (!state.has(to)) stack.push({ name: to, isLeaving: false });
    }
  }
  const rank = new Map(finished.toReversed().map((name, index) => [name, index]));
  for (const { from, to } of calls) if (rank.get(from)! < rank.get(to)!) forward.push([from, to]);
  const depths = new Map(names.map((name) => [name, 0]));
  const after = Map.groupBy(forward, ([from]) => from);
  for (const name of rank.keys()) {
    for (const [, to] of after.get(name) ?? []) depths.set(to, Math.max(depths.get(to)!, depths.get(name)! + 1));
  }
  const layers: string[][] = [];
  for (const [name, depth] of depths) (layers[depth] ??= []).push(name);
  return layers;
}
