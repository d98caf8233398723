import type { ObservedRequest } from "./observed-request.ts";

/** What was observed of one route. Times are in milliseconds. */
export interface RouteReport {
  readonly route: string;
  requests: number;
  /** Requests with a deadline: from a header, or the assumed limit. */
  withDeadline: number;
  /** Requests that their deadline would have ended, by what set it. */
  cutByDeadline: Record<string, number>;
  /** The longest time by which a response was later than its deadline. */
  maxLateMs: number;
  /** Requests whose client left before the response. */
  left: number;
  /** The time that handlers worked after the deadline, or after the client had left. */
  workAfterMs: number;
  /** The time that calls to other services ran after it. */
  callsAfterMs: number;
  /** Calls to other services that were started after it, by host. */
  callsAfter: Record<string, number>;
}

export interface Report {
  readonly seconds: number;
  readonly requests: number;
  readonly withDeadline: number;
  readonly cutByDeadline: number;
  readonly left: number;
  readonly workAfterMs: number;
  readonly callsAfter: number;
  readonly callsAfterMs: number;
  /** The routes with most work after the end first. */
  readonly routes: readonly RouteReport[];
}

/** Routes beyond this number are counted together: paths may contain ids that look like none. */
const MAX_ROUTES = 500;
const OTHER_ROUTES = "(other routes)";
/** Rows of the printed table. */
const MAX_ROWS = 20;

/** Adds up requests by route. */
export class Totals {
  readonly #routes = new Map<string, RouteReport>();
  readonly #since = performance.now();

  /** Counts a request. Call it once, when its handler has ended. */
  add(request: ObservedRequest, now: number = performance.now()): void {
    addTo(this.#routeOf(request.route), request, now);
  }

  /** @param active requests whose handlers still run; they are counted as of now */
  report(active: Iterable<ObservedRequest>): Report {
    const now: number = performance.now();
    const routes = new Map([...this.#routes].map(([name, each]) => [name, structuredClone(each)]));
    for (const request of active) {
      // Of these only what is certain: the deadline has passed, or the client has left.
      if (!request.hasLeft && request.cut(now) === undefined) continue;
      const { route } = request;
      const total = routes.get(route) ?? emptyRoute(route);
      routes.set(route, total);
      addTo(total, request, now);
    }
    const all = [...routes.values()].toSorted((a, b) => b.workAfterMs - a.workAfterMs || b.requests - a.requests);
    const sum = (value: (route: RouteReport) => number): number => all.reduce((total, each) => total + value(each), 0);
    for (const each of all) {
      for (const key of ["maxLateMs", "workAfterMs", "callsAfterMs"] as const) each[key] = Math.round(each[key]);
    }
    return {
      seconds: Math.round((now - this.#since) / 1000),
      requests: sum((each) => each.requests),
      withDeadline: sum((each) => each.withDeadline),
      cutByDeadline: sum((each) => countOf(each.cutByDeadline)),
      left: sum((each) => each.left),
      workAfterMs: sum((each) => each.workAfterMs),
      callsAfter: sum((each) => countOf(each.callsAfter)),
      callsAfterMs: sum((each) => each.callsAfterMs),
      routes: all,
    };
  }

  #routeOf(name: string): RouteReport {
    const key = this.#routes.has(name) || this.#routes.size < MAX_ROUTES ? name : OTHER_ROUTES;
    const route = this.#routes.get(key) ?? emptyRoute(key);
    this.#routes.set(key, route);
    return route;
  }
}

function emptyRoute(route: string): RouteReport {
  return {
    route,
    requests: 0,
    withDeadline: 0,
    cutByDeadline: {},
    maxLateMs: 0,
    left: 0,
    workAfterMs: 0,
    callsAfterMs: 0,
    callsAfter: {},
  };
}

function addTo(route: RouteReport, request: ObservedRequest, now: number): void {
  route.requests++;
  if (request.setBy !== undefined) route.withDeadline++;
  if (request.hasLeft) route.left++;
  const cut = request.cut(now);
  if (cut === undefined) return;
  const work = request.workAfter(cut.at, now);
  if (cut.by === "deadline") {
    increment(route.cutByDeadline, request.setBy!);
    route.maxLateMs = Math.max(route.maxLateMs, work);
  }
  route.workAfterMs += work;
  const calls = request.callsAfter(cut.at, now);
  route.callsAfterMs += calls.ms;
  for (const target of calls.started) increment(route.callsAfter, target);
}

function increment(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

function countOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** The report as text: a summary, and a table of the routes that lost most work. */
export function formatReport(report: Report): string {
  const { seconds, requests, withDeadline, cutByDeadline, left, workAfterMs, callsAfter, callsAfterMs } = report;
  const lines = [
    `throughline: ${requests} requests in ${seconds} s, ${withDeadline} of them with a deadline. Nothing was changed.`,
    `  would have been ended by their deadline: ${cutByDeadline}`,
    `  whose client left before the response:   ${left}`,
    `  work of handlers after that:             ${inSeconds(workAfterMs)}`,
    `  calls that were started after that:      ${callsAfter}`,
    `  time of calls after that:                ${inSeconds(callsAfterMs)}`,
  ];
  const rows = report.routes.filter((each) => countOf(each.cutByDeadline) > 0 || each.left > 0).slice(0, MAX_ROWS);
  if (rows.length === 0) return lines.join("\n");
  const table = [
    ["route", "requests", "ended by", "latest", "left", "work after", "calls after"],
    ...rows.map((each) => [
      each.route,
      String(each.requests),
      listed(each.cutByDeadline),
      inSeconds(each.maxLateMs),
      String(each.left),
      inSeconds(each.workAfterMs),
      listed(each.callsAfter),
    ]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const text = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, "", ...text].join("\n");
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function listed(counts: Record<string, number>): string {
  const entries = Object.entries(counts).toSorted((a, b) => b[1] - a[1]);
  return entries.map(([name, count]) => `${name} (${count})`).join(", ") || "-";
}
